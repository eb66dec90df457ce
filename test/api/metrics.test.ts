import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_API_SETTINGS } from '../../src/platform/http/dependencies.ts';
import { createApp } from '../../src/service/app.ts';
import { recordQueueState } from '../../src/status/queue-states.ts';
import { recordStepEnd, recordStepStart } from '../../src/status/step-runs.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage } from './world.ts';

let bench: ApiBench;
beforeAll(async () => {
  bench = await createApiBench();
  const { database } = bench.ledger;
  const now = bench.clock.now();
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
});
afterAll(() => bench.close());

async function scrape(): Promise<Map<string, string>> {
  const response = await bench.call('/metrics', { scope: 'finance' });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]),
  );
}

describe('the metrics', () => {
  it('tell how far the pipeline is and what waits', async () => {
    const metrics = await scrape();
    for (const [name, value] of Object.entries({
      'tallystick_watermark_age_seconds{source="app-metrics"}': '600',
      'tallystick_rescan_age_seconds{source="app-metrics"}': '36000',
      tallystick_oldest_open_hour_age_seconds: '5400',
      'tallystick_usage_events{status="pending"}': '0',
      'tallystick_meter_pushes{status="pending"}': '1',
      'tallystick_meter_pushes{status="delivered"}': '1',
      tallystick_delivered_tokens_total: '100',
      tallystick_written_off_tokens: '0',
      tallystick_open_drifts: '0',
      tallystick_quarantine_alarming: '0',
      'tallystick_step_runs_total{step="push-usage"}': '1',
      'tallystick_step_failures_total{step="collect-usage"}': '1',
      'tallystick_step_failing{step="collect-usage"}': '1',
      'tallystick_step_failing{step="push-usage"}': '0',
      'tallystick_step_error{step="collect-usage",code="UPSTREAM_UNAVAILABLE"}': '1',
      'tallystick_queue_jobs{state="waiting"}': '4',
      'tallystick_queue_jobs{state="failed"}': '3',
      tallystick_queue_oldest_waiting_age_seconds: '420',
      tallystick_queue_observed_age_seconds: '180',
      'tallystick_queue_failing{code="QUEUE_FULL"}': '1',
    })) {
      expect([name, metrics.get(name)]).toEqual([name, value]);
    }
    const leaseAge = metrics.get('tallystick_step_lease_age_seconds{step="push-usage",abandoned="true"}');
    expect(Number(leaseAge)).toBeGreaterThanOrEqual(89);
    const lastSuccess = metrics.get('tallystick_step_last_success_timestamp_seconds{step="push-usage"}');
    expect(Number(lastSuccess)).toBe(bench.clock.now().getTime() / 1_000 - 60);
    expect(metrics.has('tallystick_step_last_success_timestamp_seconds{step="collect-usage"}')).toBe(false);
  });

  it('escape what a label may not hold, and are well-formed line by line', async () => {
    const text = await (await bench.call('/metrics')).text();
    expect(text).toContain('reason="odd \\"reason\\"\\n\\\\"} 3\n');
    expect(text.endsWith('\n')).toBe(true);
    for (const line of text.trimEnd().split('\n')) {
      expect(line).toMatch(
        /^(# (HELP|TYPE) tallystick_[a-z_]+ .+|tallystick_[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)+\})? -?[0-9.e+]+)$/,
      );
    }
  });

  it('need a key with finance or admin, unless they are public', async () => {
    expect((await bench.call('/metrics', { scope: null })).status).toBe(401);
    expect((await bench.call('/metrics', { scope: 'sales' })).status).toBe(403);
    expect((await bench.call('/metrics', { scope: 'admin' })).status).toBe(200);
    const open = createApp({
      database: bench.ledger.database,
      clock: bench.clock,
      billing: bench.billing,
      version: 'x',
      settings: { ...DEFAULT_API_SETTINGS, metricsPublic: true },
    });
    expect((await open.request('/metrics')).status).toBe(200);
  });
});

describe('the status', () => {
  it('tells when each step last ran and how, and takes no rescan for collecting', async () => {
    const status = (await (await bench.call('/v1/status')).json()) as {
      steps: { step: string }[];
      watermarks: object[];
      leases: object[];
      queues: object[];
    };
    expect(status.leases).toMatchObject([{ step: 'push-usage', holder: 'host:1', isAbandoned: true }]);
    expect(status.queues).toMatchObject([
      {
        backend: 'redis',
        waitingCount: '4',
        failedCount: '3',
        oldestWaitingSeconds: 420,
        error: 'QUEUE_FULL',
        failingSince: new Date(bench.clock.now().getTime() - 2 * 60_000).toISOString(),
      },
    ]);
    expect(status.watermarks).toHaveLength(1);
    expect(status.steps).toMatchObject([
      { step: 'collect-usage', lastError: 'UPSTREAM_UNAVAILABLE', failedCount: '1', lastSucceededAt: null },
      { step: 'push-usage', lastError: null, runCount: '1', failedCount: '0' },
    ]);
  });
});
