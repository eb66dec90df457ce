import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { findFreePort } from '../../src/platform/embedded/postgres.ts';
import { makeTemporaryDirectory } from './data-directory.ts';

/** A folder in which npm installed `azurite` and `@20minutes/s3rver`; `.ci/run` makes one. */
const FOLDER = process.env.WAREHOUSE_SERVERS_DIRECTORY ?? '';
const AZURITE = path.join(FOLDER, 'node_modules/azurite/dist/src/blob/main.js');
const S3RVER = path.join(FOLDER, 'node_modules/@20minutes/s3rver/lib/s3rver.js');

/** Whether both are there; their absence is a failure on the build server and said elsewhere. */
export function hasWarehouseServers(): boolean {
  if (FOLDER !== '' && existsSync(AZURITE) && existsSync(S3RVER)) return true;
  const message =
    'there are no azurite and s3rver: install them into a folder, and name it in WAREHOUSE_SERVERS_DIRECTORY.';
  if (process.env.CI) throw new Error(message);
  console.warn(`Left out: ${message}`);
  return false;
}

export interface WarehouseServer {
  /** As the configuration names the place. */
  address: string;
  endpoint: string;
  stop(): Promise<void>;
}

/** Both servers know this one. */
export const S3_KEY = { id: 'S3RVER', secret: 'S3RVER' };

/** A server that speaks S3 and checks signatures, with a bucket `warehouse`. */
export async function startS3(): Promise<WarehouseServer> {
  const port = await findFreePort();
  const directory = makeTemporaryDirectory('s3');
  const script = `
    const { default: S3rver } = await import(${JSON.stringify(S3RVER)});
    await new S3rver({ port: ${port}, address: '127.0.0.1', silent: true, directory: ${JSON.stringify(directory)},
      configureBuckets: [{ name: 'warehouse' }] }).run();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const endpoint = `http://127.0.0.1:${port}`;
  await untilAnswering(endpoint, child);
  return { address: 's3://warehouse/costs', endpoint, stop: () => end(child, directory) };
}

/** Azurite's own account, published by Microsoft for tests. */
const ACCOUNT = 'devstoreaccount1';
const ACCOUNT_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/** Azurite's Blob service, with a container `warehouse`; the address has a shared access signature. */
export async function startAzurite(): Promise<WarehouseServer> {
  const port = await findFreePort();
  const directory = makeTemporaryDirectory('azurite');
  const child = spawn(
    process.execPath,
    [AZURITE, '--blobPort', String(port), '--inMemoryPersistence', '--disableTelemetry', '--silent'],
    { stdio: ['ignore', 'ignore', 'inherit'], cwd: directory },
  );
  const endpoint = `http://127.0.0.1:${port}/${ACCOUNT}`;
  await untilAnswering(endpoint, child);
  const signature = signAccount();
  const made = await fetch(`${endpoint}/warehouse?restype=container&${signature}`, {
    method: 'PUT',
    headers: { 'x-ms-version': '2023-11-03' },
  });
  if (made.status !== 201) throw new Error(await made.text());
  return { address: `${endpoint}/warehouse/costs?${signature}`, endpoint, stop: () => end(child, directory) };
}

/** Of the account, for an hour: learn.microsoft.com/rest/api/storageservices/create-account-sas. */
function signAccount(): string {
  const expiry = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z/, 'Z');
  const fields = {
    sp: 'rwlc',
    ss: 'b',
    srt: 'sco',
    st: '',
    se: expiry,
    sip: '',
    spr: 'https,http',
    sv: '2023-11-03',
  };
  const text = `${[ACCOUNT, ...Object.values(fields), ''].join('\n')}\n`;
  const sig = createHmac('sha256', Buffer.from(ACCOUNT_KEY, 'base64')).update(text).digest('base64');
  const given = Object.entries(fields).filter(([, value]) => value !== '');
  return new URLSearchParams([...given, ['sig', sig]]).toString();
}

async function untilAnswering(address: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`the server of ${address} ended`);
    const isThere = await fetch(address).then(
      async (response) => {
        await response.body?.cancel();
        return true;
      },
      () => false,
    );
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing answers at ${address}`);
}

async function end(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
  rmSync(directory, { recursive: true, force: true });
}
