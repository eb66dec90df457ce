import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_API_SETTINGS } from '../../src/platform/http/dependencies.ts';
import { createApp } from '../../src/service/app.ts';
import { insertMetricsWorld } from './metrics-world.ts';
import { type ApiBench, createApiBench } from './setup.ts';

let bench: ApiBench;
beforeAll(async () => {
  bench = await createApiBench();
  await insertMetricsWorld(bench.ledger.database, bench.clock.now());
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
      tallystick_anomalies_needing_somebody: '2',
      'tallystick_anomalies_open{group="needs_you"}': '2',
      'tallystick_anomalies_open{group="highlighted"}': '1',
      tallystick_anomalies_precision: '0.5',
      tallystick_anomaly_hours_due: '1',
      tallystick_anomaly_evaluated_hour_age_seconds: '1800',
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
