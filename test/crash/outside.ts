import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import {
  type EmbeddedPostgres,
  findFreePort,
  startEmbeddedPostgres,
} from '../../src/platform/embedded/postgres.ts';
import { startTestRedis, type TestRedis } from '../setup/redis.ts';

/** A real Postgres and a real Redis that outlive the workers, and can be struck themselves. */
export interface Servers {
  /** Address of a fresh, empty database. */
  createDatabase(name: string): Promise<string>;
  redis: TestRedis;
  restartPostgres(): Promise<void>;
  stop(): Promise<void>;
}

export async function startServers(): Promise<Servers> {
  const directory = mkdtempSync(path.join(tmpdir(), 'tallystick-crash-'));
  const port = await findFreePort();
  // Durable, as in production: what was committed must survive the server's own restart.
  const start = () => startEmbeddedPostgres({ dataDirectory: directory, port, maxConnectionCount: 200 });
  let postgres: EmbeddedPostgres = await start();
  const redis = await startTestRedis();
  return {
    redis,
    createDatabase: async (name) => {
      const client = new pg.Client({ connectionString: postgres.databaseUrl });
      await client.connect();
      await client.query(`create database ${name}`).finally(() => client.end());
      return postgres.databaseUrl.replace(/\/tallystick$/, `/${name}`);
    },
    restartPostgres: async () => {
      await postgres.stop();
      postgres = await start();
    },
    stop: async () => {
      await redis.stop();
      await postgres.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
