import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import type { TrafficRow } from '../../sandbox/traffic/row.ts';
import { readCarriedUsage } from '../../src/billing/carried-usage.ts';
import { assignSubject } from '../../src/catalog/subjects.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { UpstreamError } from '../../src/platform/errors.ts';
import { assignEntry } from '../../src/quarantine/assign.ts';
import { writeOffEntry } from '../../src/quarantine/desk.ts';
import { listQuarantine, type QuarantineEntry } from '../../src/quarantine/entries.ts';
import { retryEntry } from '../../src/quarantine/retry.ts';
import { balance, openPipeline, type Pipeline, type PipelineOptions, START_MS } from '../setup/pipeline.ts';
import { dimensions, makeCall, makeRow } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const METER_EVENTS = '/v1/billing/meter_events';

async function bringThrough(rows: TrafficRow[], options: PipelineOptions = {}): Promise<void> {
  pipeline = await openPipeline(options);
  pipeline.traffic.inject(rows);
  await ticks(3);
}

async function ticks(count: number): Promise<void> {
  for (let tick = 0; tick < count; tick += 1) await pipeline.tick(1);
}

async function waiting(reason: string): Promise<QuarantineEntry[]> {
  return await listQuarantine(pipeline.deps.database, { reason }, { after: null, limit: 100 });
}

const by = () => ({ actor: 'test', now: pipeline.clock.now() });

async function retryAll(reason: string): Promise<void> {
  for (const { quarantineId } of await waiting(reason)) {
    await retryEntry(pipeline.deps.database, { quarantineId, ...by() });
  }
}

/** The hours and states of all pushes, in the order they were planned. */
async function pushes() {
  const rows = await pipeline.deps.database
    .selectFrom('meter_pushes')
    .select(['status', 'revision', 'window_start', 'delta_token_count'])
    .orderBy('meter_push_id')
    .execute();
  return rows.map((row) => [
    row.status,
    row.revision,
    (row.window_start.getTime() - START_MS) / HOUR_MS,
    Number(row.delta_token_count),
  ]);
}

describe('a source item in quarantine', () => {
  it('of a subject seen with another tenant is taken up when a person says whose the subject is', async () => {
    await bringThrough([
      ...makeCall({}),
      ...makeCall({ minute: 5, prompt: 70, completion: 0, dimensions: { tenantId: 'fabrikam' } }),
    ]);
    expect((await balance(pipeline)).byReason).toEqual({ tenant_mismatch: 70n });
    await assignSubject(pipeline.deps.database, { subject: 'user-00001', customerId: 'northwind', ...by() });
    await ticks(2);
    expect(await balance(pipeline)).toMatchObject({
      metered: 190n,
      billed: 190n,
      quarantined: 0n,
      due: 0n,
      drift: 0n,
    });
    // In its own hour, beside what was pushed before.
    expect(await pushes()).toEqual(expect.arrayContaining([['delivered', 2, 0, 70]]));
  });

  it('without a subject is billed to the customer it is assigned to, alone', async () => {
    await bringThrough([
      makeRow({ sum: 55, properties: dimensions({ userId: undefined }) }),
      makeRow({ sum: 4, properties: dimensions({ userId: undefined }) }),
    ]);
    const [entry] = (await waiting('no_subject')).filter((row) => row.tokenCount === 55n);
    const { subject } = await assignEntry(pipeline.deps.database, {
      quarantineId: entry?.quarantineId ?? '',
      customerId: 'fabrikam',
      ...by(),
    });
    expect(subject).toBe('unattributed:fabrikam');
    await ticks(2);
    expect(await balance(pipeline)).toMatchObject({ billed: 55n, due: 0n, drift: 0n });
    expect((await balance(pipeline)).byReason).toEqual({ no_subject: 4n });
  });

  it('whose metric was unknown is taken up once it is known', async () => {
    await bringThrough([makeRow({ metricName: 'Audio Tokens', sum: 9 }), makeRow({ sum: 30 })]);
    // What an upgrade looks like from the ledger: rows that an older version put aside under a name known today.
    await sql`
      update source_items set quarantine_reason = 'unknown_metric', usage_event_id = null, token_kind = 'unknown',
        quarantine_number = 77, raw = jsonb_build_object('sourceItemId', source_item_id, 'eventTime', event_time,
          'ingestedAt', ingested_at, 'metricName', metric_name, 'sum', token_count, 'itemCount', request_count,
          'subject', subject, 'tenantKey', tenant_key, 'feature', feature, 'model', model, 'deployment', deployment)
      where metric_name = 'Prompt Tokens'`.execute(pipeline.deps.database);
    await pipeline.deps.database.deleteFrom('hourly_usage').execute();
    await pipeline.deps.database.deleteFrom('usage_events').execute();
    expect((await pipeline.run('sync-catalog'))['sync-catalog']).toMatchObject({ releasedTokenCount: '30' });
    await ticks(2);
    const items = await pipeline.deps.database
      .selectFrom('source_items')
      .select(['metric_name', 'quarantine_reason', 'token_kind'])
      .orderBy('metric_name')
      .execute();
    expect(items).toEqual([
      { metric_name: 'Audio Tokens', quarantine_reason: 'unknown_metric', token_kind: 'unknown' },
      { metric_name: 'Prompt Tokens', quarantine_reason: null, token_kind: 'prompt' },
    ]);
  });

  it('that is tried again and still wrong comes back, and a second look finds nothing to do', async () => {
    await bringThrough([makeRow({ sum: 2.5 }), makeRow({ properties: dimensions({ userId: 'nul\u0000' }) })]);
    await retryAll('not_an_integer');
    await retryAll('unreadable_dimension');
    await ticks(2);
    expect((await balance(pipeline)).byReason).toEqual({ not_an_integer: 0n, unreadable_dimension: 100n });
    expect(await balance(pipeline)).toMatchObject({ billed: 0n, due: 0n });
  });
});

describe('a refused event', () => {
  it('is sent again by a person, and by the night, and lands in its hour', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject([...makeCall({}), ...makeCall({ minute: 9, prompt: 7, completion: 0 })]);
    pipeline.advance(2);
    await pipeline.run('sync-catalog', 'collect-usage');
    const events = await pipeline.deps.database.selectFrom('usage_events').select('usage_event_id').execute();
    pipeline.openMeter.setFaults({ poisonIds: events.map((event) => event.usage_event_id) });
    await ticks(2);
    expect((await balance(pipeline)).byReason).toEqual({ refused_by_openmeter: 127n });
    pipeline.openMeter.setFaults({ poisonIds: [] });
    const [one] = await waiting('refused_by_openmeter');
    await retryEntry(pipeline.deps.database, { quarantineId: one?.quarantineId ?? '', ...by() });
    await ticks(2);
    const half = await balance(pipeline);
    expect([half.billed, half.billed + half.quarantined]).toEqual([half.metered, 127n]);
    expect(half.billed).toBeGreaterThan(0n);
    await pipeline.tick(24);
    await ticks(2);
    expect(await balance(pipeline)).toMatchObject({
      metered: 127n,
      billed: 127n,
      quarantined: 0n,
      due: 0n,
      drift: 0n,
    });
  });
});

describe('a refused push', () => {
  /** The next meter event is refused for good, before Stripe counts it. */
  function refuse(): void {
    const { billing } = pipeline.deps;
    pipeline.deps.billing = {
      ...billing,
      sendMeterEvent: () => {
        pipeline.deps.billing = billing;
        const refusal = {
          system: 'stripe',
          code: 'UPSTREAM_REJECTED',
          retry: false,
          statusCode: 400,
        } as const;
        return Promise.reject(new UpstreamError('The meter event is not valid.', refusal));
      },
    };
  }

  it('is withdrawn and planned anew, and bills its usage once', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({ completion: 0 }));
    pipeline.advance(2);
    refuse();
    await ticks(2);
    expect((await balance(pipeline)).byReason).toEqual({ refused_by_stripe: 100n });
    await retryAll('refused_by_stripe');
    await pipeline.run('push-usage');
    expect(await pushes()).toEqual([
      ['withdrawn', 1, 0, 100],
      ['delivered', 2, 0, 100],
    ]);
    expect(await balance(pipeline)).toMatchObject({ billed: 100n, quarantined: 0n, due: 0n, drift: 0n });
  });

  it('of a meter that keeps an hour’s newest value is in no later total, until it is planned anew', async () => {
    pipeline = await openPipeline({ stripe: { hourWindowMeters: () => true } });
    pipeline.traffic.inject([
      ...makeCall({ completion: 0 }),
      ...makeCall({ minute: 9, prompt: 7, completion: 0, ingestedAtHour: 4 }),
    ]);
    pipeline.advance(2);
    refuse();
    await ticks(4);
    expect(await balance(pipeline)).toMatchObject({ billed: 7n, quarantined: 100n, due: 0n, drift: 0n });
    await retryAll('refused_by_stripe');
    await pipeline.run('push-usage');
    expect(await balance(pipeline)).toMatchObject({ billed: 107n, quarantined: 0n, due: 0n, drift: 0n });
  });

  it('too old for Stripe by now is carried to the next invoice, visible to its customer', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({ completion: 0 }));
    pipeline.advance(2);
    refuse();
    await ticks(2);
    expect((await balance(pipeline)).byReason).toEqual({ refused_by_stripe: 100n });
    // The night tries again what was refused; by then Stripe takes no usage of that hour.
    await pipeline.tick(36 * 24);
    await ticks(2);
    expect((await balance(pipeline)).byReason).toEqual({ carry_to_next_invoice: 100n });
    expect(await readCarriedUsage(pipeline.deps.database, 'northwind')).toMatchObject([
      {
        model: 'gpt-4o',
        feature: 'chat',
        tokenType: 'prompt',
        tokenCount: 100n,
        usedIn: { start: new Date(START_MS), end: new Date(START_MS + HOUR_MS) },
      },
    ]);
    // Another look changes nothing, and nothing is ever sent for it.
    pipeline.calls.splice(0);
    await retryAll('carry_to_next_invoice');
    await ticks(2);
    expect((await balance(pipeline)).byReason).toEqual({ carry_to_next_invoice: 100n });
    expect(pipeline.calls.filter((call) => call.includes(METER_EVENTS))).toEqual([]);
  });

  it('that may have been counted is never planned anew, but asked about', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({ completion: 0 }));
    pipeline.advance(2);
    await pipeline.run('sync-catalog', 'collect-usage', 'ingest-events');
    pipeline.advance(1);
    await pipeline.run('aggregate-usage');
    pipeline.stripe.faults.add({ kind: 'reset_after', path: METER_EVENTS });
    await expect(pipeline.run('push-usage')).rejects.toThrow();
    pipeline.stripe.faults.clear();
    // Counted, but its answer was lost; then the customer's push is refused for another reason.
    refuse();
    await pipeline.run('push-usage');
    expect((await balance(pipeline)).byReason).toEqual({ refused_by_stripe: 100n });
    await retryAll('refused_by_stripe');
    await pipeline.run('push-usage');
    expect(await pushes()).toEqual([['delivered', 1, 0, 100]]);
    expect(await balance(pipeline)).toMatchObject({ billed: 100n, quarantined: 0n, due: 0n, drift: 0n });
  });
});

describe('written off', () => {
  it('usage is a total of its own, stays so over every run, and late usage of its hour is billed as ever', async () => {
    await bringThrough([
      ...makeCall({ dimensions: { userId: 'stray', tenantId: 'nobody' } }),
      makeRow({ sum: 30, properties: dimensions({ userId: undefined }) }),
      ...makeCall({ minute: 9, prompt: 8, completion: 0, ingestedAtHour: 9 }),
    ]);
    for (const reason of ['no_customer', 'no_subject']) {
      for (const { quarantineId } of await waiting(reason)) {
        await writeOffEntry(pipeline.deps.database, { quarantineId, reason: 'a load test', ...by() });
      }
    }
    const given = await balance(pipeline);
    expect(given).toMatchObject({ writtenOff: 150n, quarantined: 0n, due: 0n });
    await assignSubject(pipeline.deps.database, { subject: 'stray', customerId: 'northwind', ...by() });
    await pipeline.tick(30);
    await ticks(3);
    expect(await balance(pipeline)).toMatchObject({
      billed: 8n,
      writtenOff: 150n,
      quarantined: 0n,
      due: 0n,
      drift: 0n,
    });
  });
});
