import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { findFreePort } from '../../src/platform/embedded/postgres.ts';

export interface TestRedis {
  url: string;
  /** A connection for what a test does behind the queue's back. */
  client: Redis;
  /** Ends the server by this signal and starts it again on the same port and files. */
  restart(signal: NodeJS.Signals): Promise<void>;
  /** The server keeps its connections and answers nobody, until it is resumed. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/**
 * Whether a `redis-server` is on the PATH. Where it is not, tests that need one are left out and the run says
 * so; on the build server, where nobody reads that, its absence is a failure.
 */
export function hasRedisServer(): boolean {
  if (spawnSync('redis-server', ['--version']).status === 0) return true;
  const message = 'redis-server is not on the PATH: install Redis to run the queue tests over it.';
  if (process.env.CI) throw new Error(message);
  console.warn(`Left out: ${message}`);
  return false;
}

/** A Redis of the test's own on a free port, with an append-only file and no eviction unless told otherwise. */
export async function startTestRedis(settings: Record<string, string> = {}): Promise<TestRedis> {
  const directory = mkdtempSync(path.join(tmpdir(), 'tallystick-redis-'));
  const port = await findFreePort();
  const chosen = {
    bind: '127.0.0.1',
    port: String(port),
    dir: directory,
    save: '',
    appendonly: 'yes',
    'maxmemory-policy': 'noeviction',
    ...settings,
  };
  const flags = Object.entries(chosen).flatMap(([name, value]) => [`--${name}`, value]);
  const launch = () => {
    const child: ChildProcess = spawn('redis-server', flags, { stdio: 'ignore' });
    return { child, exited: new Promise<void>((resolve) => child.once('exit', () => resolve())) };
  };
  let server = launch();
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, {
    retryStrategy: () => 25,
    maxRetriesPerRequest: null,
    ...(settings.requirepass === undefined ? {} : { password: settings.requirepass }),
  });
  client.on('error', () => {});
  await client.ping();
  return {
    url,
    client,
    restart: async (signal) => {
      server.child.kill(signal);
      await server.exited;
      server = launch();
      await client.ping();
    },
    pause: () => void server.child.kill('SIGSTOP'),
    resume: () => void server.child.kill('SIGCONT'),
    stop: async () => {
      client.disconnect();
      server.child.kill('SIGCONT');
      server.child.kill('SIGTERM');
      await server.exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
