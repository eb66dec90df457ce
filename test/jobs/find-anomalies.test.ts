import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findAnomalies } from '../../jobs/find-anomalies.ts';
import { completePriceRow } from '../../pricing/prices/rows.ts';
import { createLogger } from '../../src/platform/log.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { changePriceBook } from '../../src/prices/book-changes.ts';
import { hoursBetween, insertDailyUsers, insertEvents } from '../anomalies/world.ts';
import { insertCatalog } from '../api/world.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

const CALM = hoursBetween('2026-09-26T00:00:00Z', '2026-11-20T14:00:00Z');
const LOOP = '2026-11-20T14:00:00.000Z';

let ledger: TestLedger;
let now = new Date('2026-11-20T14:20:00Z');
let deps: Parameters<typeof findAnomalies>[0];

beforeEach(async () => {
  ledger = await createTestLedger();
  await insertCatalog(ledger.database);
  now = new Date('2026-11-20T14:20:00Z');
  deps = { database: ledger.database, clock: { now: () => now }, log: createLogger('silent') };
  await seedPriceBook(ledger.database, now);
});
afterEach(() => ledger.close());

/** Northwind costs 0.03 USD an hour, of two users; Adatum 0.01. */
const calm = async (hours: readonly string[] = CALM) => {
  await insertEvents(
    ledger.database,
    hours.flatMap((hour) => [
      { hour, subject: 'user-1', promptTokens: 8_000 },
      { hour, subject: 'user-2', promptTokens: 4_000, feature: 'mail' },
      { hour, subject: 'user-3', promptTokens: 4_000 },
    ]),
  );
  await insertDailyUsers(ledger.database);
};
/** One user asks 400 times for 1 USD. */
const loop = (hour = LOOP) =>
  insertEvents(ledger.database, [
    {
      hour,
      subject: 'user-1',
      promptTokens: 400_000,
      requests: 400,
      collectedAt: new Date(Date.parse(hour) + 900_000).toISOString(),
    },
  ]);
const findings = async () =>
  await ledger.database.selectFrom('anomaly_findings').selectAll().orderBy('anomaly_finding_id').execute();
const audits = async () =>
  (
    await ledger.database
      .selectFrom('audit_log')
      .select(['action', 'target'])
      .where('action', 'like', 'anomalies.%')
      .orderBy('audit_id')
      .execute()
  ).map(({ action }) => action);

describe('find-anomalies', () => {
  it('sees a loop in the hour that is still running, says who and what, and then does nothing', async () => {
    await calm();
    expect(await findAnomalies(deps)).toMatchObject({ raisedCount: 0, summedHourCount: CALM.length });
    expect(await findings()).toEqual([]);
    await loop();
    expect(await findAnomalies(deps)).toMatchObject({
      raisedCount: 1,
      summedHourCount: 1,
      judgedHourCount: 1,
    });
    const [finding] = await findings();
    expect(finding).toMatchObject({
      customer_id: 'northwind',
      state: 'open',
      shape: 'loop',
      explanations: [],
      is_above_sigma: true,
      cost_pico_usd: '1000000000000',
      usual_pico_usd: '30000000000',
      excess_pico_usd: '980000000000',
      day_ahead_pico_usd: '23520000000000',
      raised_at: now,
    });
    expect(finding?.moved).toEqual([
      { dimension: 'user', value: 'user-1', sharePercent: 100 },
      { dimension: 'feature', value: 'chat', sharePercent: 100 },
      { dimension: 'model', value: 'gpt-4o', sharePercent: 100 },
    ]);
    expect(await findAnomalies(deps)).toMatchObject({
      summedHourCount: 0,
      judgedHourCount: 0,
      raisedCount: 0,
    });
    expect(await findings()).toEqual([finding]);
    expect(await audits()).toEqual(['anomalies.raise']);
  });

  it('lets a finding grow by the hour, and ends it when it went on no longer', async () => {
    await calm();
    await loop();
    await findAnomalies(deps);
    now = new Date('2026-11-20T15:20:00Z');
    await loop('2026-11-20T15:00:00.000Z');
    expect(await findAnomalies(deps)).toMatchObject({ raisedCount: 0, judgedHourCount: 1 });
    expect(await findings()).toMatchObject([
      { state: 'open', excess_pico_usd: '1960000000000', last_hour: new Date('2026-11-20T15:00:00Z') },
    ]);
    now = new Date('2026-11-21T17:20:00Z');
    await findAnomalies(deps);
    expect(await findings()).toMatchObject([
      { state: 'ended', ended_at: now, excess_pico_usd: '1960000000000' },
    ]);
    expect(await audits()).toEqual(['anomalies.raise']);
  });

  it('keeps the name of what a person was told of, whatever the customer does beside it', async () => {
    await calm();
    await loop();
    await findAnomalies(deps);
    const [told] = await findings();
    // Hours later everybody asks for more, which needs nobody.
    now = new Date('2026-11-20T20:20:00Z');
    await calm(hoursBetween('2026-11-20T15:00:00Z', '2026-11-20T20:00:00Z'));
    await insertEvents(
      ledger.database,
      Array.from({ length: 40 }, (_, place) => ({
        hour: '2026-11-20T20:00:00.000Z',
        subject: place % 2 === 0 ? 'user-1' : 'user-2',
        feature: place % 2 === 0 ? 'chat' : 'mail',
        promptTokens: 20_000,
        requests: 3,
      })),
    );
    expect(await findAnomalies(deps)).toMatchObject({ raisedCount: 0 });
    const [kept] = await findings();
    expect(kept?.last_hour).toEqual(new Date('2026-11-20T20:00:00Z'));
    expect(kept).toMatchObject({ shape: 'loop', explanations: [], moved: told?.moved });
  });

  it('says who moved in the hours with most of what is too much, and not in the last ones', async () => {
    await calm();
    const machine = (hour: string, subject: string, promptTokens: number) =>
      insertEvents(ledger.database, [
        {
          hour,
          subject,
          feature: subject === 'user-2' ? 'mail' : 'chat',
          promptTokens,
          requests: 200,
          collectedAt: new Date(Date.parse(hour) + 900_000).toISOString(),
        },
      ]);
    const judgeAt = async (hour: string) => {
      now = new Date(Date.parse(hour) + 1_200_000);
      return await findAnomalies(deps);
    };
    const says = async () => {
      const [finding, ...others] = await findings();
      expect(others).toEqual([]);
      const moved = finding?.moved as { value: string }[] | undefined;
      return moved?.map(({ value }) => value);
    };
    await machine(LOOP, 'user-1', 400_000);
    expect(await judgeAt(LOOP)).toMatchObject({ raisedCount: 1 });
    await machine('2026-11-20T15:00:00.000Z', 'user-1', 400_000);
    await judgeAt('2026-11-20T15:00:00.000Z');
    // Hours after it somebody else asks like a machine, for less: the same finding, and not what it is called after.
    await machine('2026-11-20T22:00:00.000Z', 'user-2', 240_000);
    expect(await judgeAt('2026-11-20T22:00:00.000Z')).toMatchObject({ raisedCount: 0 });
    expect(await findings()).toMatchObject([{ last_hour: new Date('2026-11-20T22:00:00Z') }]);
    expect(await says()).toEqual(['user-1', 'chat', 'gpt-4o']);
    // Its own first hour once more, alone less than what came later.
    await machine(LOOP, 'user-1', 1);
    await judgeAt('2026-11-20T22:05:00.000Z');
    expect(await says()).toEqual(['user-1', 'chat', 'gpt-4o']);
    // And for more than it: then it is about them.
    await machine('2026-11-20T23:00:00.000Z', 'user-2', 900_000);
    await judgeAt('2026-11-20T23:00:00.000Z');
    expect(await says()).toEqual(['user-2', 'mail', 'gpt-4o']);
  });

  it('tells of a loop from its own first hour on, whatever was highlighted for days before it', async () => {
    await calm();
    // For two days everybody asks for more: highlighted, and nobody needs to look.
    const busy = hoursBetween('2026-11-18T15:00:00Z', LOOP);
    await insertEvents(
      ledger.database,
      busy.flatMap((hour) => [
        { hour, subject: 'user-1', promptTokens: 60_000, requests: 20 },
        { hour, subject: 'user-2', promptTokens: 60_000, feature: 'mail', requests: 20 },
      ]),
    );
    await findAnomalies(deps);
    const [before] = await findings();
    expect(before).toMatchObject({ raised_at: null, state: 'open' });
    await loop();
    expect(await findAnomalies(deps)).toMatchObject({ raisedCount: 1 });
    const [highlighted, told] = await findings();
    expect(told).toMatchObject({
      first_hour: new Date(LOOP),
      last_hour: new Date(LOOP),
      shape: 'loop',
      cost_pico_usd: '1000000000000',
      raised_at: now,
    });
    expect(highlighted).toMatchObject({ raised_at: null, last_hour: new Date('2026-11-20T13:00:00Z') });
    // Its day stays above two sigmas when the loop is over, which prolongs nothing; told again, nothing changes.
    now = new Date('2026-11-20T18:20:00Z');
    await calm(hoursBetween('2026-11-20T15:00:00Z', '2026-11-20T19:00:00Z'));
    await insertEvents(ledger.database, [{ hour: busy[3] ?? '', subject: 'user-1', promptTokens: 1 }]);
    await findAnomalies(deps);
    expect((await findings()).map(({ first_hour, last_hour }) => [first_hour, last_hour])).toEqual([
      [highlighted?.first_hour, highlighted?.last_hour],
      [new Date(LOOP), new Date(LOOP)],
    ]);
  });

  it('tells once of requests that cost more from day to day, where, and takes it back when later data undoes it', async () => {
    now = new Date('2026-11-20T14:20:00Z');
    // Northwind's mail costs 0.10 USD an hour; in the last days its prompts are half as large again, and nobody asks more often.
    const mail = (hour: string, promptTokens: number) => ({
      hour,
      subject: 'user-2',
      feature: 'mail',
      promptTokens,
      requests: 10,
    });
    const before = hoursBetween('2026-10-01T00:00:00Z', '2026-11-12T00:00:00Z');
    const after = hoursBetween('2026-11-12T00:00:00Z', '2026-11-20T14:00:00Z');
    await insertEvents(ledger.database, [
      ...before.map((hour) => mail(hour, 80_000)),
      ...after.map((hour) => mail(hour, 120_000)),
      ...[...before, ...after].map((hour) => ({ hour, subject: 'user-3', promptTokens: 80_000 })),
    ]);
    await insertDailyUsers(ledger.database);
    expect(await findAnomalies(deps)).toMatchObject({ judgedDayCount: 1, raisedCount: 1 });
    const creeping = async () => (await findings()).filter(({ shape }) => shape === 'creep');
    const [creep] = await creeping();
    expect(creep).toMatchObject({
      customer_id: 'northwind',
      first_hour: new Date('2026-11-13T00:00:00Z'),
      last_hour: new Date('2026-11-19T23:00:00Z'),
      explanations: [],
      cost_pico_usd: '50400000000000',
      usual_pico_usd: '33600000000000',
      excess_pico_usd: '16800000000000',
      day_ahead_pico_usd: '2400000000000',
      score: '10.0',
      raised_at: now,
    });
    expect(creep?.moved).toMatchObject([
      { dimension: 'user', value: 'user-2' },
      { dimension: 'feature', value: 'mail' },
      { dimension: 'model', value: 'gpt-4o' },
    ]);
    // The next day prolongs it, by what it added.
    const next = hoursBetween('2026-11-20T14:00:00Z', '2026-11-21T05:00:00Z');
    now = new Date('2026-11-21T05:20:00Z');
    await insertEvents(ledger.database, [
      ...next.map((hour) => mail(hour, 120_000)),
      ...next.map((hour) => ({ hour, subject: 'user-3', promptTokens: 80_000 })),
    ]);
    expect(await findAnomalies(deps)).toMatchObject({ judgedDayCount: 1, raisedCount: 0 });
    expect(await creeping()).toMatchObject([
      { last_hour: new Date('2026-11-20T23:00:00Z'), excess_pico_usd: '19200000000000' },
    ]);
    // It was not so: many more requests come late, two hours of them at once, and of a day that was judged once before.
    await ledger.database.deleteFrom('anomaly_judged_days').execute();
    await sql`update anomaly_findings set first_hour = '2026-11-14T00:00:00Z' where shape = 'creep'`.execute(
      ledger.database,
    );
    await insertEvents(
      ledger.database,
      after.map((hour) => ({ ...mail(hour, 1), requests: 50 })),
    );
    now = new Date('2026-11-21T07:20:00Z');
    expect(await findAnomalies(deps)).toMatchObject({ judgedDayCount: 1, withdrawnCount: 1 });
    expect(await findAnomalies(deps)).toMatchObject({ judgedDayCount: 0, withdrawnCount: 0 });
    expect(await creeping()).toMatchObject([{ state: 'withdrawn', excess_pico_usd: '0' }]);
  });

  it('withdraws it once when later data undoes it, and opens another when it comes again', async () => {
    await calm();
    await loop();
    await findAnomalies(deps);
    // The user turns out to be another customer's.
    await sql`update subjects set customer_id = 'adatum' where subject = 'user-1'`.execute(ledger.database);
    now = new Date('2026-11-20T14:40:00Z');
    expect(await findAnomalies(deps)).toMatchObject({ withdrawnCount: 1 });
    expect((await findings())[0]).toMatchObject({
      customer_id: 'northwind',
      state: 'withdrawn',
      ended_at: now,
      excess_pico_usd: '0',
    });
    expect(await findAnomalies(deps)).toMatchObject({ withdrawnCount: 0 });
    await sql`update subjects set customer_id = 'northwind' where subject = 'user-1'`.execute(
      ledger.database,
    );
    await findAnomalies(deps);
    const ofNorthwind = (await findings()).filter((finding) => finding.customer_id === 'northwind');
    expect(ofNorthwind.map(({ state }) => state)).toEqual(['withdrawn', 'open']);
    expect((await audits()).filter((action) => action === 'anomalies.withdraw')).toHaveLength(2);
  });

  it('says nothing of three days of history, of usage without a price or without a customer', async () => {
    await calm(hoursBetween('2026-11-17T14:00:00Z', LOOP));
    await insertEvents(ledger.database, [
      { hour: LOOP, subject: 'stray', promptTokens: 9_000_000, requests: 900 },
      { hour: LOOP, subject: 'user-3', model: 'nobody-knows-it', promptTokens: 9_000_000, requests: 900 },
    ]);
    await loop();
    expect(await findAnomalies(deps)).toMatchObject({ raisedCount: 0 });
    expect(await findings()).toEqual([]);
    const kept = await ledger.database
      .selectFrom('anomaly_hours')
      .selectAll()
      .where('window_start', '=', new Date(LOOP))
      .orderBy('customer_id')
      .execute();
    expect(kept).toMatchObject([
      { customer_id: 'adatum', cost_pico_usd: '0', unpriced_token_count: 9_000_000n },
      { customer_id: 'northwind', cost_pico_usd: '1000000000000', unpriced_token_count: 0n },
    ]);
  });

  it('names what came late and what was filled in, and tells nobody of it', async () => {
    await calm([...CALM, ...hoursBetween(LOOP, '2026-11-20T16:00:00Z')]);
    now = new Date('2026-11-21T18:00:00Z');
    await findAnomalies(deps);
    await insertEvents(ledger.database, [
      { hour: LOOP, promptTokens: 400_000, requests: 400, collectedAt: '2026-11-20T20:00:00Z' },
      {
        hour: '2026-11-20T15:00:00Z',
        promptTokens: 4_000_000,
        requests: 400,
        collectedAt: '2026-11-21T17:00:00Z',
      },
    ]);
    expect(await findAnomalies(deps)).toMatchObject({ raisedCount: 0, judgedHourCount: 2 });
    expect(await findings()).toMatchObject([
      { customer_id: 'northwind', explanations: ['backfill'], raised_at: null },
    ]);
  });

  it('names what came hours after the rest of its hour, and no more than that', async () => {
    await calm([...CALM, LOOP]);
    now = new Date('2026-11-20T20:20:00Z');
    await findAnomalies(deps);
    await insertEvents(ledger.database, [
      { hour: LOOP, promptTokens: 400_000, requests: 400, collectedAt: '2026-11-20T20:00:00Z' },
    ]);
    expect(await findAnomalies(deps)).toMatchObject({ raisedCount: 0, judgedHourCount: 1 });
    expect(await findings()).toMatchObject([{ explanations: ['late_data'], raised_at: null }]);
  });

  it('needs neither a plan nor dollars, and names a new plan and a change of prices', async () => {
    await calm();
    // Adatum has no plan, and is billed in euros; Northwind's prices are of this noon.
    await sql`delete from subscription_items where customer_id = 'adatum'`.execute(ledger.database);
    await sql`update subscription_items set price_since = '2026-11-20T12:00:00Z' where customer_id = 'northwind'`.execute(
      ledger.database,
    );
    await changePriceBook(ledger.database, {
      change: {
        rows: [
          completePriceRow({
            model: 'gpt-4o',
            tokenType: 'prompt',
            amount: '2.75',
            effectiveFrom: '2026-11-20T10:00:00Z',
          }),
        ],
        supersede: true,
        addModels: false,
      },
      kind: 'add',
      reason: 'It is dearer.',
      actor: 'test',
      now,
    });
    await loop();
    expect(await findAnomalies(deps)).toMatchObject({ raisedCount: 0 });
    expect(await findings()).toMatchObject([
      { customer_id: 'northwind', explanations: ['new_plan', 'price_change'], raised_at: null },
    ]);
    // What is new is over a day later.
    now = new Date('2026-11-21T15:20:00Z');
    await calm(hoursBetween('2026-11-20T15:00:00Z', '2026-11-21T15:00:00Z'));
    await insertEvents(ledger.database, [
      {
        hour: '2026-11-21T15:00:00Z',
        subject: 'user-3',
        promptTokens: 400_000,
        requests: 400,
        collectedAt: '2026-11-21T15:15:00Z',
      },
    ]);
    expect(await findAnomalies(deps)).toMatchObject({ raisedCount: 1 });
    expect((await findings()).filter(({ raised_at: at }) => at !== null)).toMatchObject([
      { customer_id: 'adatum', shape: 'loop', cost_pico_usd: '1100000000000', explanations: [] },
    ]);
  });

  it('does not take a source that was read late as a whole for late usage', async () => {
    await calm();
    await findAnomalies(deps);
    now = new Date('2026-11-21T01:00:00Z');
    await insertEvents(ledger.database, [
      {
        hour: LOOP,
        subject: 'user-1',
        promptTokens: 400_000,
        requests: 400,
        collectedAt: '2026-11-21T00:50:00Z',
      },
      { hour: LOOP, subject: 'user-2', promptTokens: 4_000, collectedAt: '2026-11-21T00:50:00Z' },
    ]);
    expect(await findAnomalies(deps)).toMatchObject({ raisedCount: 1 });
  });

  it('judges no hour again because the clock jumps, back or ahead', async () => {
    await calm();
    await loop();
    await findAnomalies(deps);
    const before = await findings();
    now = new Date('2026-11-20T09:00:00Z');
    expect(await findAnomalies(deps)).toMatchObject({ summedHourCount: 0, judgedHourCount: 0 });
    expect(await findings()).toEqual(before);
    now = new Date('2027-06-01T00:00:00Z');
    await findAnomalies(deps);
    now = new Date('2026-11-20T14:30:00Z');
    await findAnomalies(deps);
    expect(await findings()).toMatchObject([{ customer_id: 'northwind', excess_pico_usd: '980000000000' }]);
  });

  it('is the same after a run that was killed half-way, and for names from hell', async () => {
    await calm();
    const hostile = `<script>'";--\u202e${'x'.repeat(200)}`;
    await insertEvents(ledger.database, [
      { hour: LOOP, feature: hostile, promptTokens: 400_000, requests: 400 },
    ]);
    const killed = new AbortController();
    killed.abort(new Error('killed'));
    await expect(findAnomalies(deps, killed.signal)).rejects.toThrow('killed');
    expect(await findAnomalies(deps)).toMatchObject({ raisedCount: 1 });
    expect((await findings())[0]?.moved).toMatchObject([
      { value: 'user-1' },
      { value: hostile },
      { value: 'gpt-4o' },
    ]);
  });
});
