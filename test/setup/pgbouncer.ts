import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { findFreePort } from '../../src/platform/embedded/postgres.ts';

export interface TestPgBouncer {
  /** The same database, through the pooler. */
  databaseUrl: string;
  stop(): Promise<void>;
}

/** Whether a `pgbouncer` is on the PATH; its absence is a failure on the build server and said elsewhere. */
export function hasPgBouncer(): boolean {
  if (spawnSync('pgbouncer', ['--version']).status === 0) return true;
  const message = 'pgbouncer is not on the PATH: install it to run the ledger through a transaction pooler.';
  if (process.env.CI) throw new Error(message);
  console.warn(`Left out: ${message}`);
  return false;
}

/** A real PgBouncer in transaction mode in front of one database, with very few server connections. */
export async function startTestPgBouncer(databaseUrl: string, poolSize: number): Promise<TestPgBouncer> {
  const target = new URL(databaseUrl);
  const directory = mkdtempSync(path.join(tmpdir(), 'tallystick-pgbouncer-'));
  chmodSync(directory, 0o755);
  const port = await findFreePort();
  const name = target.pathname.slice(1);
  writeFileSync(
    path.join(directory, 'pgbouncer.ini'),
    `[databases]
${name} = host=${target.hostname} port=${target.port} dbname=${name} user=${target.username} password=${target.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
auth_type = any
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 200
unix_socket_dir =
${userInfo().uid === 0 ? 'user = nobody' : ''}
`,
  );
  const child: ChildProcess = spawn('pgbouncer', [path.join(directory, 'pgbouncer.ini')], {
    stdio: 'ignore',
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const pooled = `postgres://${target.username}@127.0.0.1:${port}/${name}`;
  await untilAnswering(pooled);
  return {
    databaseUrl: pooled,
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function untilAnswering(databaseUrl: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const client = new pg.Client({ connectionString: databaseUrl });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('select 1');
      await client.end();
      return;
    } catch (error) {
      await client.end().catch(() => {});
      if (attempt >= 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
