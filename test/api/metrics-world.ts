import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { recordQueueState } from '../../src/status/queue-states.ts';
import { recordStepEnd, recordStepStart } from '../../src/status/step-runs.ts';
import { insertFindings } from '../anomalies/world.ts';
import { insertCatalog, insertUsage } from './world.ts';

/** Something of what /metrics tells: a source behind, an open hour, pushes, quarantine, steps, a queue that is full. */
export async function insertMetricsWorld(database: LedgerDatabase, now: Date): Promise<void> {
  await insertCatalog(database);
  await insertUsage(database, [
    { hour: '2026-11-20T09:00:00Z', tokens: 100n, push: { meterId: 'mtr_prompt', status: 'delivered' } },
    { hour: '2026-11-20T10:00:00Z', tokens: 20n, push: { meterId: 'mtr_prompt', status: 'pending' } },
    { hour: '2026-11-20T11:00:00Z', tokens: 3n, quarantine: 'odd "reason"\n\\' },
  ]);
  const earlier = (minutes: number) => new Date(now.getTime() - minutes * 60_000);
  await database
    .insertInto('watermarks')
    .values([
      { source: 'app-metrics', position: earlier(10), updated_at: now },
      { source: 'rescan:app-metrics', position: earlier(600), updated_at: now },
    ])
    .execute();
  await database
    .insertInto('settlements')
    .values({ window_start: earlier(90), settled_version: null, next_attempt_at: null, settled_at: null })
    .execute();
  await recordStepStart(database, 'push-usage', earlier(2));
  await recordStepEnd(database, 'push-usage', { now: earlier(1), durationMs: 9.4, error: null });
  await recordStepStart(database, 'collect-usage', earlier(2));
  await recordStepEnd(database, 'collect-usage', { now, durationMs: 5, error: 'UPSTREAM_UNAVAILABLE' });
  await insertFindings(database, [
    ...Array.from({ length: 4 }, () => ({ raised: true })),
    { raised: true, state: 'withdrawn' },
    { raised: false },
  ]);
  for (const [place, decision] of (['acknowledged', 'dismissed'] as const).entries()) {
    await database
      .updateTable('anomaly_findings')
      .set({ decision, decided_at: now, decided_by: 'anna' })
      .where('anomaly_finding_id', '=', BigInt(place + 1))
      .execute();
  }
  const summed = { event_version: 1n, price_book_version: 'x', summed_at: now };
  await database
    .insertInto('anomaly_summed_hours')
    .values([
      { ...summed, window_start: earlier(30), judged_at: now },
      { ...summed, window_start: earlier(90), judged_at: null },
    ])
    .execute();
  const counts = {
    waitingCount: 4,
    activeCount: 1,
    delayedCount: 2,
    failedCount: 3,
    oldestWaitingAt: earlier(7),
  };
  const queue = { queue: 'tallystick', backend: 'redis' as const };
  await recordQueueState(database, { ...queue, counts, error: null, now: earlier(3) });
  await recordQueueState(database, { ...queue, counts: null, error: 'QUEUE_FULL', now: earlier(2) });
  await recordQueueState(database, { ...queue, counts: null, error: 'QUEUE_FULL', now: earlier(1) });
  await database
    .insertInto('step_leases')
    .values({
      step: 'push-usage',
      lease_token: 'of the dead',
      holder: 'host:1',
      acquired_at: new Date(Date.now() - 90_000),
      expires_at: new Date(Date.now() - 60_000),
    })
    .execute();
}
