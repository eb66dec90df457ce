import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { readStepRuns } from '../../src/status/step-runs.ts';
import { balance, openPipeline, type Pipeline, type PipelineOptions } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** So many usage events, collected and not yet sent; their ids in the order in which they are claimed. */
async function collectEvents(count: number, options: PipelineOptions = {}): Promise<string[]> {
  pipeline = await openPipeline({
    ...options,
    settings: { ingestConcurrency: 1, ingestBatchSize: 50, ...options.settings },
  });
  const calls = Array.from({ length: count }, (_, minute) => makeCall({ minute }));
  pipeline.traffic.inject(calls.flat());
  pipeline.advance(3);
  await pipeline.run('collect-usage');
  const events = await pipeline.deps.database
    .selectFrom('usage_events')
    .select('usage_event_id')
    .orderBy('created_at')
    .orderBy('usage_event_id')
    .execute();
  expect(events.length).toBe(count);
  return events.map((event) => event.usage_event_id);
}

async function statuses(): Promise<Record<string, number>> {
  const rows = await pipeline.deps.database
    .selectFrom('usage_events')
    .select(['status', ({ fn }) => fn.countAll<bigint>().as('count')])
    .groupBy('status')
    .execute();
  return Object.fromEntries(rows.map((row) => [row.status, Number(row.count)]));
}

const ingestCalls = () => pipeline.calls.filter((call) => call.endsWith('/api/v1/events'));

describe('sending usage events', () => {
  it('sets a poison event aside alone, found by halving, and its tokens are counted as held', async () => {
    const ids = await collectEvents(40);
    const poisonId = ids[17] ?? '';
    pipeline.openMeter.setFaults({ poisonIds: [poisonId] });
    const { 'ingest-events': outcome } = await pipeline.run('ingest-events');
    expect(outcome).toMatchObject({ ran: true, sentCount: 39, quarantinedCount: 1 });
    expect(await statuses()).toEqual({ sent: 39, quarantined: 1 });
    const held = await pipeline.deps.database
      .selectFrom('usage_events')
      .select(['usage_event_id', 'quarantine_reason'])
      .where('status', '=', 'quarantined')
      .execute();
    expect(held).toEqual([{ usage_event_id: poisonId, quarantine_reason: 'refused_by_openmeter' }]);
    // Halving 40 down to one takes about two calls a level, not one for each event.
    expect(ingestCalls().length).toBeLessThan(15);
    pipeline.openMeter.setFaults({ poisonIds: [] });
    await pipeline.tick(2);
    await pipeline.tick(2);
    const total = await balance(pipeline);
    expect(total).toMatchObject({ billed: 39n * 120n, due: 0n, drift: 0n });
    expect(total.byReason).toEqual({ refused_by_openmeter: 120n });
  });

  it('does not count an event twice whose answer was lost after it was stored', async () => {
    await collectEvents(30);
    pipeline.openMeter.setFaults({ next: ['error-after-commit', 'reset-after-commit'], appliesTo: 'ingest' });
    await expect(pipeline.run('ingest-events')).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      outcomeUnknown: true,
    });
    expect(await statuses()).toEqual({ pending: 30 });
    await pipeline.tick(1);
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ metered: 3_600n, billed: 3_600n, due: 0n, drift: 0n });
  });

  it('shows an event that was counted twice as drift, and bills neither copy, when OpenMeter keeps no ids', async () => {
    await collectEvents(1, { openMeter: { dedupe: null } });
    pipeline.openMeter.setFaults({ next: ['reset-after-commit'], appliesTo: 'ingest' });
    await pipeline.tick(1);
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ metered: 240n, billed: 0n, due: 120n, drift: 0n });
    const drifts = await pipeline.deps.database
      .selectFrom('drifts')
      .select(['ledger_value', 'metered_value'])
      .where('meter_slug', '=', 'tallystick_total_tokens')
      .where('resolved_at', 'is', null)
      .execute();
    expect(drifts).toEqual([{ ledger_value: 120n, metered_value: 240n }]);
  });

  it('leaves events waiting while OpenMeter throttles, and sends them with the next run', async () => {
    await collectEvents(120);
    pipeline.openMeter.setFaults({
      next: [null, 'throttle-without-retry-after', 'throttle-without-retry-after'],
      appliesTo: 'ingest',
    });
    await expect(pipeline.run('ingest-events')).rejects.toMatchObject({
      code: 'UPSTREAM_THROTTLED',
      retry: true,
    });
    expect(await statuses()).toEqual({ sent: 50, pending: 70 });
    expect((await pipeline.run('ingest-events'))['ingest-events']).toMatchObject({ sentCount: 70 });
  });

  it('frees the whole batch for the next run when it fails in the middle of the halving', async () => {
    const ids = await collectEvents(40);
    pipeline.openMeter.setFaults({
      poisonIds: [ids[0] ?? ''],
      next: [null, null, 'throttle-without-retry-after', 'throttle-without-retry-after'],
      appliesTo: 'ingest',
    });
    await expect(pipeline.run('ingest-events')).rejects.toMatchObject({ code: 'UPSTREAM_THROTTLED' });
    expect((await pipeline.run('ingest-events'))['ingest-events']).toMatchObject({
      sentCount: 39,
      quarantinedCount: 1,
    });
  });

  it('blames no event for a wrong key', async () => {
    await collectEvents(5, { openMeter: { apiKey: 'the right one' } });
    await expect(pipeline.run('ingest-events')).rejects.toMatchObject({ statusCode: 401 });
    expect(await statuses()).toEqual({ pending: 5 });
    const claims = await pipeline.deps.database
      .selectFrom('usage_events')
      .select('usage_event_id')
      .where('claimed_until', 'is not', null)
      .execute();
    expect(claims).toEqual([]);
  });

  describe('when OpenMeter refuses everything', () => {
    const refusesAll = { code: 'UPSTREAM_REJECTED', retry: false, message: /refuses every event/ };

    it.each([
      [50, 1],
      [7, 4],
      [1, 1],
    ])(
      'blames the system and no event, with few calls (batches of %i, %i at once)',
      async (batch, senders) => {
        const ids = await collectEvents(59, {
          settings: { ingestBatchSize: batch, ingestConcurrency: senders },
        });
        pipeline.openMeter.setFaults({ poisonIds: ids });
        for (let run = 0; run < 2; run += 1) {
          await expect(pipeline.run('ingest-events')).rejects.toMatchObject(refusesAll);
          expect(await statuses()).toEqual({ pending: 59 });
        }
        expect(ingestCalls().length).toBeLessThan(2 * 59);
        const [step] = await readStepRuns(pipeline.deps.database);
        expect(step).toMatchObject({ step: 'collect-usage' });
        expect((await readStepRuns(pipeline.deps.database))[1]).toMatchObject({
          step: 'ingest-events',
          lastError: 'UPSTREAM_REJECTED',
          failedCount: 2n,
        });
        pipeline.openMeter.setFaults({ poisonIds: [] });
        expect((await pipeline.run('ingest-events'))['ingest-events']).toMatchObject({ sentCount: 59 });
        await pipeline.tick(2);
        await pipeline.tick(2);
        expect(await balance(pipeline)).toMatchObject({ billed: 59n * 120n, due: 0n, drift: 0n });
      },
    );

    it.each([50, 5, 1])(
      'sets many poison events aside when it accepts others (batches of %i)',
      async (batch) => {
        // Without deduplication, so that an event sent twice would count twice.
        const ids = await collectEvents(45, {
          settings: { ingestBatchSize: batch },
          openMeter: { dedupe: null },
        });
        pipeline.openMeter.setFaults({ poisonIds: ids.slice(0, 25) });
        expect((await pipeline.run('ingest-events'))['ingest-events']).toMatchObject({
          sentCount: 20,
          quarantinedCount: 25,
        });
        expect(await statuses()).toEqual({ sent: 20, quarantined: 25 });
        await pipeline.tick(2);
        await pipeline.tick(2);
        expect(await balance(pipeline)).toMatchObject({
          metered: 2_400n,
          billed: 2_400n,
          due: 0n,
          drift: 0n,
        });
      },
    );

    it('sets a few aside that have no others beside them', async () => {
      const ids = await collectEvents(3);
      pipeline.openMeter.setFaults({ poisonIds: ids });
      expect((await pipeline.run('ingest-events'))['ingest-events']).toMatchObject({ quarantinedCount: 3 });
    });
  });

  describe('when OpenMeter answers 500', () => {
    /** Makes stored bodies larger than Kafka's messages, which none that we make is. */
    const grow = async (ids: readonly string[], byteCount: number) => {
      for (const id of ids) {
        await sql`update usage_events set body = replace(body, '"data":{', ${`"data":{"padding":"${'x'.repeat(byteCount)}",`})
                  where usage_event_id = ${id}`.execute(pipeline.deps.database);
      }
    };

    it.each([
      ['one', [17], 40],
      ['the oldest, in a batch of its own', [0], 1],
      ['some, side by side', [20, 21, 22], 10],
    ])(
      'sets an event that is too large aside, alone, and the rest goes on (%s)',
      async (_, places, batch) => {
        const ids = await collectEvents(40, {
          settings: { ingestBatchSize: batch },
          openMeter: { dedupe: null },
        });
        const giants = places.map((place) => ids[place] ?? '');
        await grow(giants, 1_000_000);
        expect((await pipeline.run('ingest-events'))['ingest-events']).toMatchObject({
          sentCount: 40 - giants.length,
          quarantinedCount: giants.length,
        });
        const held = await pipeline.deps.database
          .selectFrom('usage_events')
          .select(['usage_event_id', 'quarantine_reason'])
          .where('status', '=', 'quarantined')
          .orderBy('usage_event_id')
          .execute();
        expect(held).toEqual(
          [...giants].sort().map((id) => ({ usage_event_id: id, quarantine_reason: 'refused_by_openmeter' })),
        );
        // Nothing was sent twice, although nothing there knows an id again.
        await pipeline.tick(2);
        await pipeline.tick(2);
        const sound = BigInt(40 - giants.length) * 120n;
        expect(await balance(pipeline)).toMatchObject({ metered: sound, billed: sound, due: 0n, drift: 0n });
      },
    );

    it('sends a large event that Kafka takes', async () => {
      const ids = await collectEvents(5);
      await grow(ids.slice(1, 3), 600_000);
      expect((await pipeline.run('ingest-events'))['ingest-events']).toMatchObject({
        sentCount: 5,
        quarantinedCount: 0,
      });
    });

    it('does not tell an event that is too large from an outage while nothing else is accepted', async () => {
      const ids = await collectEvents(1);
      await grow(ids, 1_000_000);
      await expect(pipeline.run('ingest-events')).rejects.toMatchObject({ statusCode: 500 });
      expect(await statuses()).toEqual({ pending: 1 });
      pipeline.traffic.inject(makeCall({ hour: 3 }));
      pipeline.advance(2);
      const { 'ingest-events': outcome } = await pipeline.run('collect-usage', 'ingest-events');
      expect(outcome).toMatchObject({ sentCount: 1, quarantinedCount: 1 });
    });

    it('halves a batch for one event that nothing explains, sends the rest, and says which it is', async () => {
      const ids = await collectEvents(60);
      pipeline.openMeter.setFaults({ faultyIds: [ids[9] ?? ''] });
      await expect(pipeline.run('ingest-events')).rejects.toMatchObject({
        code: 'UPSTREAM_UNAVAILABLE',
        retry: true,
        context: { usageEventIds: [ids[9]] },
        message: expect.stringContaining(ids[9] ?? ''),
      });
      expect(await statuses()).toEqual({ sent: 59, pending: 1 });
      pipeline.openMeter.setFaults({ faultyIds: [] });
      expect((await pipeline.run('ingest-events'))['ingest-events']).toMatchObject({ sentCount: 1 });
      await pipeline.tick(2);
      await pipeline.tick(2);
      expect(await balance(pipeline)).toMatchObject({ billed: 60n * 120n, due: 0n, drift: 0n });
    });

    it('in an outage sends hardly more than once what it has', async () => {
      await collectEvents(59, { settings: { ingestBatchSize: 50 } });
      pipeline.openMeter.setFaults({ rates: { 'error-before-commit': 1 }, appliesTo: 'ingest' });
      await expect(pipeline.run('ingest-events')).rejects.toMatchObject({ statusCode: 500 });
      expect(await statuses()).toEqual({ pending: 59 });
      // The batch, three of its events, and three of the newest, each tried twice.
      expect(ingestCalls().length).toBe(2 * (1 + 3 + 3));
      pipeline.openMeter.setFaults({ rates: {} });
      expect((await pipeline.run('ingest-events'))['ingest-events']).toMatchObject({ sentCount: 59 });
    });
  });

  it('by two at once sends each event once', async () => {
    await collectEvents(60, { settings: { ingestConcurrency: 4, ingestBatchSize: 7 } });
    await pipeline.run('ingest-events');
    expect(await statuses()).toEqual({ sent: 60 });
    const { database } = pipeline.deps;
    const { rows } = await sql<{
      tries: number;
    }>`select distinct attempt_count as tries from usage_events`.execute(database);
    expect(rows).toEqual([{ tries: 1 }]);
    // Those that claim at once may share the last few.
    expect(ingestCalls().length).toBeLessThan(Math.ceil(60 / 7) + 4);
  });

  it('keeps the bytes that were written before the first send', async () => {
    await collectEvents(1);
    const { database } = pipeline.deps;
    const before = await database.selectFrom('usage_events').select('body').executeTakeFirstOrThrow();
    pipeline.openMeter.setFaults({
      next: ['error-before-commit', 'error-before-commit'],
      appliesTo: 'ingest',
    });
    await expect(pipeline.run('ingest-events')).rejects.toThrow();
    await pipeline.run('ingest-events');
    const after = await database
      .selectFrom('usage_events')
      .select(['body', 'sent_at'])
      .executeTakeFirstOrThrow();
    expect(after.body).toBe(before.body);
    expect(after.sent_at?.getTime()).toBe(pipeline.clock.nowMs());
    const event = JSON.parse(before.body);
    expect(event).toMatchObject({ source: 'tallystick', type: 'tallystick.usage', subject: 'user-00001' });
    expect(Date.parse(event.time) % HOUR_MS).toBe(0);
  });
});
