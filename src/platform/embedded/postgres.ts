import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { chown, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { TallystickError } from '../errors.ts';
import { findPostgresBinaries, type PostgresBinaries } from './binaries.ts';
import { isDataDirectoryLocked, lockDataDirectory } from './directory-lock.ts';
import { preparePostgresHome } from './postgres-home.ts';

const run = promisify(execFile);
/** Where commands beside a running service find its server; readable by its owner only. */
const ADDRESS_FILE = 'postgres-address';
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;

export interface EmbeddedPostgres {
  databaseUrl: string;
  /** Ends the server (checkpoint, no orphan) and gives the directory back. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Tallystick's data directory; the server's files lie in `postgres` below it. */
  dataDirectory: string;
  /** False only in tests: faster, and not safe against power loss. */
  durable?: boolean;
  maxConnectionCount?: number;
  /** A free one is chosen unless given. */
  port?: number;
}

/**
 * Starts the Postgres that comes as an npm package, making its cluster at first. A server left behind by a
 * process that was killed is ended first, and its data kept.
 * @throws TallystickError DATA_DIRECTORY_BUSY, CONFIG (no server for this platform), INTERNAL (did not start)
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const lock = lockDataDirectory(path.resolve(options.dataDirectory));
  try {
    const binaries = await findPostgresBinaries();
    const home = await preparePostgresHome(path.resolve(options.dataDirectory), binaries);
    const cluster = path.join(home, 'cluster');
    const password = readOrMakePassword(path.join(home, 'password'));
    if (existsSync(path.join(cluster, 'postmaster.pid'))) await stopLeftBehind(cluster, binaries);
    if (!existsSync(path.join(cluster, 'PG_VERSION'))) await createCluster(home, cluster, password, binaries);
    const port = options.port ?? (await findFreePort());
    const child = launch({ cluster, port, home, binaries, options });
    const databaseUrl = `postgres://tallystick:${password}@127.0.0.1:${port}/tallystick`;
    await waitUntilReady(databaseUrl, child, path.join(home, 'server.log'));
    writeFileSync(path.join(path.resolve(options.dataDirectory), ADDRESS_FILE), databaseUrl, { mode: 0o600 });
    return {
      databaseUrl,
      stop: async () => {
        await stopServer(child);
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * The address of a server that another Tallystick process runs on this data directory; null when none does.
 * Short commands look over its shoulder instead of starting a second server.
 */
export function findRunningPostgres(dataDirectory: string): string | null {
  const directory = path.resolve(dataDirectory);
  if (!isDataDirectoryLocked(directory)) return null;
  try {
    return readFileSync(path.join(directory, ADDRESS_FILE), 'utf8');
  } catch {
    return null;
  }
}

function readOrMakePassword(file: string): string {
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const password = randomBytes(18).toString('base64url');
  writeFileSync(file, password, { mode: 0o600 });
  return password;
}

/** Makes the cluster under another name first: a kill half-way leaves nothing that looks finished. */
async function createCluster(
  home: string,
  cluster: string,
  password: string,
  binaries: PostgresBinaries,
): Promise<void> {
  const partial = path.join(home, 'cluster.new');
  await rm(partial, { recursive: true, force: true });
  const passwordFile = path.join(home, 'initdb-password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (binaries.runAs !== undefined) await chown(passwordFile, binaries.runAs.uid, binaries.runAs.gid);
  await run(
    binaries.initdb,
    [
      '--pgdata',
      partial,
      '--username',
      'tallystick',
      '--pwfile',
      passwordFile,
      '--auth',
      'scram-sha-256',
      '--encoding',
      'UTF8',
      '--locale',
      'C',
      '--no-instructions',
    ],
    { ...binaries.runAs, cwd: home },
  );
  await rm(passwordFile, { force: true });
  await rename(partial, cluster);
}

async function stopLeftBehind(cluster: string, { pgCtl, runAs }: PostgresBinaries): Promise<void> {
  // Fails when no server runs any more, which is what we want; Postgres clears the stale file itself.
  await run(pgCtl, ['stop', '-D', cluster, '-m', 'fast', '-w', '-t', '30'], {
    ...runAs,
    cwd: path.dirname(cluster),
  }).catch(() => {});
}

function launch(given: {
  cluster: string;
  port: number;
  home: string;
  binaries: PostgresBinaries;
  options: EmbeddedPostgresOptions;
}): ChildProcess {
  const settings: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    port: given.port,
    unix_socket_directories: '',
    max_connections: given.options.maxConnectionCount ?? 100,
    shared_buffers: '128MB',
    max_wal_size: '2GB',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(given.options.durable === false
      ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }
      : {}),
  };
  const log = openSync(path.join(given.home, 'server.log'), 'a');
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  // A process group of its own: Ctrl-C must reach us only, so that we can finish before the server goes.
  const child = spawn(given.binaries.postgres, ['-D', given.cluster, ...flags], {
    ...given.binaries.runAs,
    cwd: given.home,
    stdio: ['ignore', log, log],
    detached: true,
  });
  child.unref();
  return child;
}

async function waitUntilReady(databaseUrl: string, child: ChildProcess, logFile: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  const adminUrl = databaseUrl.replace(/\/tallystick$/, '/postgres');
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const client = new pg.Client({ connectionString: adminUrl });
    client.on('error', () => {});
    try {
      await client.connect();
      const found = await client.query("select 1 from pg_database where datname = 'tallystick'");
      if (found.rowCount === 0) await client.query('create database tallystick');
      await client.end();
      return;
    } catch {
      await client.end().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
  if (child.exitCode === null) child.kill('SIGQUIT');
  throw new TallystickError('The embedded Postgres did not start.', {
    code: 'INTERNAL',
    retry: false,
    context: { logFile },
    fix: `Read ${logFile}, or set DATABASE_URL to a Postgres of your own.`,
  });
}

async function stopServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGQUIT'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}

/** A port nobody listens on now. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
