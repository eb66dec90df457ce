import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FaultyWorld, openFaultyWorld, START_MS } from './world.ts';

const HOUR_MS = 3_600_000;
const ALL_ROWS = 'AppMetrics | project _ItemId, Name, TimeGenerated, ingestedAt = ingestion_time()';

let world: FaultyWorld;
beforeEach(async () => {
  world = await openFaultyWorld();
});
afterEach(() => world.close());

describe('Application Insights', () => {
  const rows = async () => (await world.query(ALL_ROWS)).tables[0]?.rows ?? [];
  const keyOf = (row: unknown[]) => `${row[0]} ${row[1]}`;

  it('answers in part at 200', async () => {
    await world.advance(12);
    const whole = await rows();
    await world.set({ azure: { next: ['partial'] } });
    const partial = await world.query(ALL_ROWS);
    expect(partial.error?.code).toBe('PartialError');
    expect(partial.tables[0]?.rows.length).toBe(whole.length >> 1);
    expect((await world.query(ALL_ROWS)).error).toBeUndefined();
  });

  it('cuts an answer at its row limit', async () => {
    await world.advance(12);
    await world.set({ azure: { rowCeiling: 5 } });
    const cut = await world.query(ALL_ROWS);
    expect([cut.tables[0]?.rows.length, cut.error?.code]).toEqual([5, 'PartialError']);
  });

  it('gives rows twice', async () => {
    await world.advance(12);
    const once = await rows();
    await world.set({ azure: { duplicatePercent: 50 } });
    const twice = await rows();
    expect(twice.length).toBeGreaterThan(once.length);
    expect(new Set(twice.map(keyOf))).toEqual(new Set(once.map(keyOf)));
  });

  it('reads from a copy that lags', async () => {
    await world.advance(12);
    const fresh = await rows();
    await world.set({ azure: { staleReadMs: 6 * HOUR_MS } });
    const stale = await rows();
    expect(stale.length).toBeLessThan(fresh.length);
    const seenUntil = START_MS + 6 * HOUR_MS;
    expect(stale.map(keyOf)).toEqual(
      fresh.filter((row) => Date.parse(String(row[3])) < seenUntil).map(keyOf),
    );
  });

  it.each([30, 50 * 60])('lets rows come late by up to %i minutes, and loses none', async (maxMinutes) => {
    const inTime = await openFaultyWorld();
    await inTime.advance(48 + 60);
    const ofOther = (await inTime.query(ALL_ROWS)).tables[0]?.rows ?? [];
    await inTime.close();
    await world.set({ azure: { lateRows: { percent: 40, maxMinutes } } });
    await world.advance(48 + 60 + 50);
    const late = await rows();
    expect(new Set(late.map(keyOf))).toEqual(new Set(ofOther.map(keyOf)));
    const ingestedMs = new Map(ofOther.map((row) => [keyOf(row), Date.parse(String(row[3]))]));
    const delays = late.map((row) => Date.parse(String(row[3])) - (ingestedMs.get(keyOf(row)) ?? 0));
    const share = delays.filter((delay) => delay > 0).length / delays.length;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.6);
    expect(Math.max(...delays)).toBeGreaterThan(0.9 * maxMinutes * 60_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(maxMinutes * 60_000);
    expect(Math.min(...delays)).toBe(0);
  });

  it('has a clock of its own', async () => {
    await world.advance(12);
    const before = (await rows()).length;
    await world.set({ azure: { clockSkewMs: -4 * HOUR_MS } });
    // What is to come by the others' clock has not come by this one.
    expect((await rows()).length).toBeLessThan(before);
  });
});

describe('OpenMeter', () => {
  const metered = async () => {
    await world.advance(0.1);
    return Number((await world.totals()).meteredTokens);
  };

  it('drops events after its 204, every so many or by chance', async () => {
    await world.set({ openMeter: { dropEvery: 2 } });
    for (let index = 0; index < 4; index += 1) expect((await world.write('openMeter')).status).toBe(204);
    expect(await metered()).toBe(14);
    await world.set({ openMeter: { dropEvery: 0, dropPercent: 100 } });
    expect((await world.write('openMeter')).status).toBe(204);
    expect(await metered()).toBe(14);
  });

  it('remembers ids for minutes only, or not at all', async () => {
    await world.set({ openMeter: { dedupeMs: 10 * 60_000 } });
    const send = () => world.write('openMeter', { id: 'one and the same' });
    await send();
    await world.advance(0.1);
    await send();
    expect(await metered()).toBe(7);
    await world.advance(0.2);
    await send();
    expect(await metered()).toBe(14);
    await world.set({ openMeter: { dedupeMs: null } });
    await send();
    expect(await metered()).toBe(21);
  });

  it('shows nothing of the last minutes', async () => {
    await world.set({ openMeter: { staleReadMs: 10 * 60_000 } });
    await world.write('openMeter');
    await world.advance(0.1);
    const list = async () => ((await (await world.read('openMeter')).json()) as unknown[]).length;
    expect(await list()).toBe(0);
    await world.advance(0.2);
    expect(await list()).toBe(1);
  });

  it('answers 204 and stores nothing while its sink is out, and then all of it', async () => {
    await world.set({ openMeter: { sinkOutage: { kind: 'standing' } } });
    expect((await world.write('openMeter')).status).toBe(204);
    expect(await metered()).toBe(0);
    await world.set({ openMeter: { sinkOutage: null } });
    expect(await metered()).toBe(7);
  });

  it('refuses a batch for one event in it', async () => {
    await world.set({ openMeter: { poisonIds: ['bad'] } });
    expect((await world.write('openMeter', { id: 'bad' })).status).toBe(400);
    expect((await world.write('openMeter', { id: 'good' })).status).toBe(204);
  });

  it('has a clock of its own', async () => {
    await world.set({ openMeter: { clockSkewMs: 3 * HOUR_MS } });
    await world.write('openMeter', { time: undefined });
    await world.advance(0.1);
    const [event] = (await (await world.read('openMeter')).json()) as { event: { time: string } }[];
    expect(Date.parse(event?.event.time ?? '')).toBe(START_MS + 3 * HOUR_MS);
  });
});

describe('Stripe', () => {
  const billed = async () => Number((await world.totals()).billedTokens);

  it('takes meter events and loses them, a number of them or by chance', async () => {
    await world.set({ stripe: { lose: { how: 'dropped', count: 1 } } });
    expect((await world.write('stripe')).status).toBe(200);
    expect(await billed()).toBe(0);
    expect((await world.write('stripe')).status).toBe(200);
    expect(await billed()).toBe(7);
    await world.set({ stripe: { lose: { how: 'dropped', percent: 100 } } });
    await world.write('stripe');
    expect(await billed()).toBe(7);
  });

  it('shows sums late, by as much as it is told to', async () => {
    await world.set({ stripe: { summaryLagMs: 2 * HOUR_MS } });
    await world.write('stripe');
    const sum = async () => {
      const meters = (await (await world.stripe('/v1/billing/meters?limit=100')).json()) as {
        data: { id: string; event_name: string }[];
      };
      const meter = meters.data.find((one) => one.event_name === 'gpt_4o_prompt_tokens');
      const customers = (await (await world.stripe('/v1/customers?limit=1')).json()) as {
        data: { id: string }[];
      };
      const range = `customer=${customers.data[0]?.id}&start_time=${START_MS / 1_000}&end_time=${START_MS / 1_000 + 3_600}`;
      const summaries = await world.stripe(`/v1/billing/meters/${meter?.id}/event_summaries?${range}`);
      const { data } = (await summaries.json()) as { data: { aggregated_value: number }[] };
      return data.reduce((total, one) => total + one.aggregated_value, 0);
    };
    await world.advance(1.5);
    expect(await sum()).toBe(0);
    await world.advance(0.6);
    expect(await sum()).toBe(7);
    await world.set({ stripe: { summaryLagMs: 3 * HOUR_MS } });
    expect(await sum()).toBe(0);
    await world.set({ stripe: { summaryLagMs: 0, summariesStanding: true } });
    await world.write('stripe', { timestamp: String(START_MS / 1_000) });
    await world.advance(30);
    expect(await sum()).toBe(7);
    await world.set({ stripe: { summariesStanding: false } });
    expect(await sum()).toBe(14);
  });

  it('has a clock of its own: what is now for us is far ahead for it', async () => {
    await world.advance(5);
    await world.set({ stripe: { clockSkewMs: -10 * 60_000 } });
    const refused = await world.write('stripe');
    expect(refused.status).toBe(400);
    expect(((await refused.json()) as { error: { code: string } }).error.code).toBe('timestamp_in_future');
    await world.set({ stripe: { clockSkewMs: 0 } });
    expect((await world.write('stripe')).status).toBe(200);
  });
});
