import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { createTestHarness } from 'wrangler';

const ROOT = path.resolve(import.meta.dirname, '../..');
const require = createRequire(import.meta.url);

export interface WorkerBundle {
  directory: string;
  close(): Promise<void>;
}

/** What `npm run build:worker` makes, offline, in a folder of its own. */
export async function buildWorker(): Promise<WorkerBundle> {
  const directory = await mkdtemp(path.join(tmpdir(), 'tallystick-worker-'));
  const wrangler = path.join(path.dirname(require.resolve('wrangler/package.json')), 'bin/wrangler.js');
  await promisify(execFile)(process.execPath, [wrangler, 'deploy', '--dry-run', '--outdir', directory], {
    cwd: ROOT,
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: 'true', FORCE_COLOR: '0' },
  });
  return { directory, close: () => rm(directory, { recursive: true, force: true }) };
}

export interface RunningWorker {
  url: string;
  close(): Promise<void>;
}

/** Runs a built bundle in real workerd with these secrets, on a loopback port. */
export async function runWorker(
  bundle: WorkerBundle,
  secrets: Record<string, string>,
): Promise<RunningWorker> {
  const harness = createTestHarness({
    root: ROOT,
    workers: [{ configPath: 'wrangler.toml', prebuiltWorkerDir: bundle.directory, secrets }],
  });
  const { url } = await harness.listen();
  return { url: url.origin, close: () => harness.close() };
}
