import { afterEach, describe, expect, it } from 'vitest';
import { repairUsage } from '../../jobs/repair/repair-usage.ts';
import { commitRepair } from '../../src/usage/events/repairs.ts';
import { balance, openPipeline, outsideWrites, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';
import { foreignEvent } from './foreign-event.ts';

let pipeline: Pipeline;

async function outbox() {
  return await pipeline.deps.database
    .selectFrom('usage_events')
    .select(['usage_event_id', 'kind', 'copy_delta', 'resend_count', 'status', 'total_token_count'])
    .orderBy('usage_event_id')
    .execute();
}

async function openDrifts() {
  return await pipeline.deps.database
    .selectFrom('drifts')
    .select(['subject', 'class'])
    .where('resolved_at', 'is', null)
    .distinct()
    .orderBy('subject')
    .execute();
}

/** Ticks of an hour until nothing is due any more; answers how many it took. */
async function settle(limit = 40): Promise<number> {
  for (let round = 1; round <= limit; round += 1) {
    await pipeline.tick(1);
    if ((await balance(pipeline)).due === 0n) return round;
  }
  throw new Error('still due after all ticks');
}

/** Loses whatever is sent under ids that match, after having said 204: as when deduplication remembers them. */
function swallow(pattern: RegExp) {
  const { metering } = pipeline.deps;
  pipeline.deps.metering = {
    ...metering,
    ingestEvents: (bodies, signal) =>
      metering.ingestEvents(
        bodies.filter((body) => !pattern.test((JSON.parse(body) as { id: string }).id)),
        signal,
      ),
  };
  return () => {
    pipeline.deps.metering = metering;
  };
}

describe('repairing what OpenMeter did with usage', () => {
  afterEach(() => pipeline.close());

  it('sends lost events again, unchanged, and bills them then', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject([...makeCall({}), ...makeCall({ dimensions: { userId: 'user-00002' } })]);
    pipeline.openMeter.setFaults({ dropEvery: 2 });
    await pipeline.tick(2);
    pipeline.openMeter.setFaults({ dropEvery: 0 });
    await settle();
    expect(await balance(pipeline)).toMatchObject({ metered: 240n, billed: 240n, due: 0n, drift: 0n });
    const events = await outbox();
    expect(events.map((event) => [event.kind, event.status])).toEqual([
      ['usage', 'confirmed'],
      ['usage', 'confirmed'],
    ]);
    expect(events.map((event) => event.resend_count).sort()).toEqual([0, 1]);
    expect(await openDrifts()).toEqual([]);
  });

  it('survives that the resends are lost as well, most of the time', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(
      [0, 1, 2].flatMap((hour) =>
        ['user-00001', 'user-00002', 'user-00003'].flatMap((userId) =>
          makeCall({ hour, dimensions: { userId } }),
        ),
      ),
    );
    pipeline.openMeter.setFaults({ dropRate: 0.6 });
    await pipeline.tick(4);
    const hasSettled = async () =>
      (
        await pipeline.deps.database
          .selectFrom('settlements')
          .select('window_start')
          .where('status', '=', 'open')
          .execute()
      ).length === 0;
    for (let round = 0; round < 300 && !(await hasSettled()); round += 1) {
      pipeline.advance(1);
      await pipeline.run('ingest-events', 'aggregate-usage', 'repair-usage');
    }
    await settle();
    expect(await balance(pipeline)).toMatchObject({ metered: 1080n, billed: 1080n, due: 0n, drift: 0n });
  });

  it('never sends while the first copy may still become visible', async () => {
    pipeline = await openPipeline({ openMeter: { dedupe: null } });
    pipeline.traffic.inject(makeCall({}));
    pipeline.openMeter.setFaults({ staleReadMs: 3 * 3_600_000 });
    await pipeline.tick(2);
    for (let round = 0; round < 3; round += 1) await pipeline.tick(0.12);
    expect(pipeline.calls.filter((call) => call === 'POST /api/v1/events')).toHaveLength(1);
    await pipeline.tick(3);
    await settle();
    expect(await balance(pipeline)).toMatchObject({ metered: 120n, billed: 120n, drift: 0n });
  });

  it('takes another id for an event whose own id stays invisible, and offsets it if both appear', async () => {
    pipeline = await openPipeline({ openMeter: { dedupe: null } });
    pipeline.traffic.inject(makeCall({}));
    const stop = swallow(/^ue_[0-9a-f]+$/);
    await settle(60);
    expect(await balance(pipeline)).toMatchObject({ metered: 120n, billed: 120n, due: 0n });
    const [root, reissue] = await outbox();
    expect(reissue).toMatchObject({
      usage_event_id: `${root?.usage_event_id}_r1`,
      kind: 'reissue',
      copy_delta: 1,
      resend_count: 0,
    });
    expect(root).toMatchObject({ kind: 'usage', resend_count: 3 });
    stop();
  });

  it('offsets events that were counted twice by signed ones, and bills the usage once', async () => {
    // One sender, so that both events travel in one batch and share its fault.
    pipeline = await openPipeline({ openMeter: { dedupe: null }, settings: { ingestConcurrency: 1 } });
    pipeline.traffic.inject([...makeCall({}), ...makeCall({ dimensions: { userId: 'user-00002' } })]);
    // The batch is stored, the answer says it was not, and the repeat is stored as well.
    pipeline.openMeter.setFaults({ next: ['error-after-commit'], appliesTo: 'ingest' });
    await pipeline.tick(2);
    pipeline.advance(0.01);
    expect((await balance(pipeline)).metered).toBe(480n);
    await settle();
    expect(await balance(pipeline)).toMatchObject({
      metered: 240n,
      billed: 240n,
      due: 0n,
      drift: 0n,
      collected: 240n,
    });
    expect((await outbox()).filter((event) => event.kind === 'correction')).toMatchObject([
      { copy_delta: -1, total_token_count: -120n, status: 'confirmed' },
      { copy_delta: -1, total_token_count: -120n, status: 'confirmed' },
    ]);
    const usage = await pipeline.deps.database
      .selectFrom('hourly_usage')
      .select(['revision', 'delta_token_count'])
      .execute();
    expect(usage.every((row) => row.revision === 1 && row.delta_token_count > 0n)).toBe(true);
  });

  it('lets a correction be counted twice, too, and a correction be lost', async () => {
    pipeline = await openPipeline({ openMeter: { dedupe: null } });
    pipeline.traffic.inject(makeCall({}));
    pipeline.openMeter.setFaults({ next: ['error-after-commit'], appliesTo: 'ingest' });
    for (let round = 0; round < 3; round += 1) await pipeline.tick(1);
    pipeline.openMeter.setFaults({ next: ['error-after-commit'], appliesTo: 'ingest' });
    await pipeline.tick(1);
    await pipeline.tick(1);
    expect((await balance(pipeline)).metered).toBe(0n);
    // What offsets the correction is lost at first.
    pipeline.openMeter.setFaults({ dropEvery: 1 });
    for (let round = 0; round < 3; round += 1) await pipeline.tick(1);
    pipeline.openMeter.setFaults({ dropEvery: 0 });
    await settle();
    expect(await balance(pipeline)).toMatchObject({ metered: 120n, billed: 120n, due: 0n, drift: 0n });
  });

  it('calls usage that is not ours unexplained, only after a second look, and never bills it', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({}));
    await pipeline.deps.metering.ingestEvents([foreignEvent({ tokens: '55', hour: 0 })]);
    await pipeline.tick(2);
    await pipeline.tick(1);
    expect(await openDrifts()).toEqual([{ subject: 'stranger', class: null }]);
    for (let round = 0; round < 5; round += 1) await pipeline.tick(1);
    expect(await openDrifts()).toEqual([{ subject: 'stranger', class: 'unexplained' }]);
    expect(await balance(pipeline)).toMatchObject({ metered: 175n, billed: 120n, due: 0n });
    expect(await outbox()).toHaveLength(1);
  });

  it('writes nothing when the hour has changed since it was looked at', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({}));
    pipeline.openMeter.setFaults({ dropEvery: 1 });
    await pipeline.tick(2);
    pipeline.openMeter.setFaults({ dropEvery: 0 });
    // Looked into, asked about, and sent again.
    for (let round = 0; round < 4; round += 1) await pipeline.tick(1);
    const [event] = await outbox();
    expect(event?.resend_count).toBeGreaterThan(0);
    const hour = { windowStart: new Date(START_MS), eventVersion: 1n };
    const repair = { resendIds: [event?.usage_event_id ?? ''], additions: [], findings: [] };
    expect(await commitRepair(pipeline.deps.database, hour, repair, pipeline.clock.now())).toBeNull();
    expect((await outbox())[0]?.resend_count).toBe(event?.resend_count);
  });

  it('is done once by two workers that see the same', async () => {
    pipeline = await openPipeline({ openMeter: { dedupe: null } });
    pipeline.traffic.inject(makeCall({}));
    pipeline.openMeter.setFaults({ next: ['error-after-commit'], appliesTo: 'ingest' });
    await pipeline.tick(2);
    await pipeline.tick(1);
    pipeline.advance(1);
    await Promise.all([repairUsage(pipeline.deps), repairUsage(pipeline.deps), repairUsage(pipeline.deps)]);
    expect((await outbox()).filter((event) => event.kind === 'correction')).toHaveLength(1);
    await settle();
    expect(await balance(pipeline)).toMatchObject({ metered: 120n, billed: 120n, drift: 0n });
  });

  it('sends nothing where all is well', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({}));
    await settle();
    const before = outsideWrites(pipeline.calls).filter((call) => call.includes('/events')).length;
    for (let round = 0; round < 3; round += 1) await pipeline.tick(24);
    expect(outsideWrites(pipeline.calls).filter((call) => call.includes('/events'))).toHaveLength(before);
  });
});
