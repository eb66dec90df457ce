import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findFreePort } from '../../src/platform/embedded/postgres.ts';

export interface TestPrometheus {
  /** Samples of an expression now, by their labels. @throws Error with what Prometheus says against it */
  query(expr: string): Promise<{ labels: Record<string, string>; value: number }[]>;
  stop(): Promise<void>;
}

/**
 * Whether a `prometheus` is on the PATH. Where it is not, tests that need one are left out and the run says so; on the build
 * server, where nobody reads that, its absence is a failure.
 */
export function hasPrometheus(): boolean {
  if (spawnSync('prometheus', ['--version']).status === 0) return true;
  const message = 'prometheus is not on the PATH: install it to ask it what the dashboards ask.';
  if (process.env.CI) throw new Error(message);
  console.warn(`Left out: ${message}`);
  return false;
}

/** A Prometheus of the test's own that asks one address for /metrics each second, and has asked twice. */
export async function startTestPrometheus(target: {
  host: string;
  /** Of the header that /metrics wants. */
  bearer: string;
}): Promise<TestPrometheus> {
  const directory = mkdtempSync(path.join(tmpdir(), 'tallystick-prometheus-'));
  const port = await findFreePort();
  writeFileSync(
    path.join(directory, 'prometheus.yml'),
    JSON.stringify({
      scrape_configs: [
        {
          job_name: 'tallystick',
          scrape_interval: '1s',
          scrape_timeout: '1s',
          authorization: { type: 'Bearer', credentials: target.bearer },
          static_configs: [{ targets: [target.host] }],
        },
      ],
    }),
  );
  const child: ChildProcess = spawn(
    'prometheus',
    [
      `--config.file=${path.join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${path.join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGKILL');
    await exited;
    rmSync(directory, { recursive: true, force: true });
  };
  const query = async (expr: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query: expr }),
    });
    const answer = (await response.json()) as {
      status: string;
      error?: string;
      data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (answer.status !== 'success') throw new Error(`${expr}: ${answer.error}`);
    return (answer.data?.result ?? []).map(({ metric, value }) => ({
      labels: metric,
      value: Number(value[1]),
    }));
  };
  try {
    await untilScrapedTwice(query);
  } catch (error) {
    await stop();
    throw error;
  }
  return { query, stop };
}

async function untilScrapedTwice(query: TestPrometheus['query']): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const seen = await query('count_over_time(up{job="tallystick"}[1m]) and up{job="tallystick"} == 1').catch(
      () => [],
    );
    if ((seen[0]?.value ?? 0) >= 2) return;
    if (Date.now() > deadline) throw new Error('Prometheus did not get /metrics within a minute.');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
