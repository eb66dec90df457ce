import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findFreePort } from '../../src/platform/embedded/postgres.ts';
import type { OpenApi } from './openapi.ts';

const run = promisify(execFile);

/** Pinned: what Stripe publishes changes each week. `.ci/run` and docs/testing.md say how it is brought up to date. */
const MODULE = 'github.com/stripe/stripe-mock';
const VERSION = 'v0.203.0';

/** What stripe-mock's module brings: Stripe's own description of its interface, and a server that holds requests to it. */
export interface StripeMockModule {
  openApi: OpenApi;
  binary: string;
}

/**
 * The module, from Go's own cache or through its proxy, and its program, built once. Null: there is no Go here.
 * @throws where Go is there and fails
 */
export async function findStripeMock(): Promise<StripeMockModule | null> {
  const found = await run('go', ['version']).then(
    () => true,
    () => false,
  );
  if (!found) return null;
  const directory = join(tmpdir(), `tallystick-stripe-mock-${VERSION}-${process.getuid?.() ?? 'any'}`);
  const options = {
    cwd: tmpdir(),
    env: { ...process.env, GOBIN: directory, GOFLAGS: '', GOWORK: 'off' },
  };
  const { stdout } = await run('go', ['mod', 'download', '-json', `${MODULE}@${VERSION}`], options);
  const { Dir } = JSON.parse(stdout) as { Dir: string };
  await run('go', ['install', `${MODULE}@${VERSION}`], options);
  return {
    openApi: JSON.parse(readFileSync(join(Dir, 'embedded', 'openapi', 'spec3.json'), 'utf8')) as OpenApi,
    binary: join(directory, 'stripe-mock'),
  };
}

export interface StripeMock {
  url: string;
  close(): Promise<void>;
}

/** Its server, on a free port of loopback. */
export async function startStripeMock(binary: string): Promise<StripeMock> {
  const address = `127.0.0.1:${await findFreePort()}`;
  const server = spawn(binary, ['-http-addr', address], { stdio: 'ignore' });
  const ended = once(server, 'exit');
  const url = `http://${address}`;
  while (!(await answers(url))) {
    if (server.exitCode !== null) throw new Error(`stripe-mock ended with ${server.exitCode}`);
    await setTimeout(20);
  }
  return {
    url,
    close: async () => {
      server.kill();
      await ended;
    },
  };
}

async function answers(url: string): Promise<boolean> {
  return await fetch(url).then(
    () => true,
    () => false,
  );
}
