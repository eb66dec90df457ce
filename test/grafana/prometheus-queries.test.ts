import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { serve } from '@hono/node-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertMetricsWorld } from '../api/metrics-world.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { hasPrometheus, startTestPrometheus, type TestPrometheus } from '../setup/prometheus.ts';
import { askingPanels, DASHBOARDS, FOLDER } from './panels.ts';

const QUERIES = DASHBOARDS.flatMap((dashboard) =>
  askingPanels(dashboard).flatMap(({ title, targets = [] }) =>
    targets.flatMap(({ expr, refId, legendFormat = '' }) =>
      expr === undefined ? [] : [{ name: `${title} ${refId}`, expr, legendFormat }],
    ),
  ),
);

it('asks something of Prometheus', () => {
  expect(QUERIES.length).toBeGreaterThan(20);
});

describe.runIf(hasPrometheus())('what the dashboards ask of Prometheus', () => {
  let bench: ApiBench;
  let server: ReturnType<typeof serve>;
  let prometheus: TestPrometheus;
  let metricNames: Set<string>;
  beforeAll(async () => {
    bench = await createApiBench();
    await insertMetricsWorld(bench.ledger.database, bench.clock.now());
    server = serve({ fetch: bench.api.fetch, port: 0, hostname: '127.0.0.1' });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    prometheus = await startTestPrometheus({ host: `127.0.0.1:${port}`, bearer: bench.keys.finance });
    const text = await (await bench.call('/metrics', { scope: 'finance' })).text();
    metricNames = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? ''));
  });
  afterAll(async () => {
    await prometheus.stop();
    await new Promise((resolve) => server.close(resolve));
    await bench.close();
  });

  it.each(QUERIES)('$name is understood, asks for what /metrics has, and names its series', async (query) => {
    for (const [name] of query.expr.matchAll(/tallystick_\w+/g)) expect(metricNames).toContain(name);
    const samples = await prometheus.query(query.expr);
    for (const [, label = ''] of query.legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
      // `metric` is there only of metrics that nobody knows.
      if (label !== 'metric') for (const { labels } of samples) expect(Object.keys(labels)).toContain(label);
    }
    // Series that would be drawn under one name would be taken for one.
    const names = samples.map(({ labels }) =>
      query.legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? ''),
    );
    expect(new Set(names).size).toBe(names.length);
  });

  it('is answered with what the ledger has', async () => {
    const value = async (title: string, refId = 'A') => {
      const query = QUERIES.find(({ name }) => name === `${title} ${refId}`);
      const samples = await prometheus.query(query?.expr ?? '');
      return Object.fromEntries(samples.map(({ labels, value }) => [Object.values(labels).join(' '), value]));
    };
    expect(await value('Behind now, by source')).toEqual({ 'app-metrics': 600 });
    expect(await value('Oldest hour that is not settled')).toEqual({ '': 5_400 });
    expect(await value('Queue')).toEqual({ waiting: 4, active: 1, delayed: 2, failed: 3 });
    expect(await value('Head of the queue')).toEqual({ '': 420 });
    expect(await value('Now', 'F')).toEqual({ '': 1 });
    expect(await value('Now', 'E')).toEqual({ '': 3 });
    expect(Object.values(await value('Quarantine'))).toEqual([3]);
  });

  it('Prometheus takes the configuration that goes with them', () => {
    const file = fileURLToPath(new URL('prometheus.yml', FOLDER));
    const checked = spawnSync('promtool', ['check', 'config', '--syntax-only', file], { encoding: 'utf8' });
    expect([checked.status, checked.stderr]).toEqual([0, '']);
  });
});
