import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type LedgerDatabase, openLedger } from '../../../src/platform/database/database.ts';
import { migrateLedger } from '../../../src/platform/database/migrate.ts';
import { startEmbeddedPostgres } from '../../../src/platform/embedded/postgres.ts';
import type { Cleanup } from './cleanup.ts';
import { withClient } from './pg-client.ts';

export interface BenchLedger {
  databaseUrl: string;
  database: LedgerDatabase;
  /** Closes and drops it. */
  drop(): Promise<void>;
}

export interface BenchPostgres {
  /** An empty, migrated ledger of its own. */
  createLedger(): Promise<BenchLedger>;
  /** Writes out what earlier work left to be written, so that nobody pays for another's checkpoint. */
  settle(): Promise<void>;
}

/** The embedded Postgres as production starts it (durable), in a temporary directory. */
export async function startBenchPostgres(cleanup: Cleanup): Promise<BenchPostgres> {
  const directory = mkdtempSync(path.join(tmpdir(), 'tallystick-bench-'));
  const starting = startEmbeddedPostgres({ dataDirectory: directory });
  cleanup.defer(async () => {
    const started = await starting.catch(() => null);
    await started?.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  const server = await starting;
  const administer = (statement: string) =>
    withClient(server.databaseUrl, (client) => client.query(statement).then(() => {}));
  let ledgerCount = 0;
  return {
    createLedger: async () => {
      ledgerCount += 1;
      const name = `bench_${ledgerCount}`;
      await administer(`create database ${name}`);
      const databaseUrl = server.databaseUrl.replace(/\/tallystick$/, `/${name}`);
      await migrateLedger(databaseUrl);
      const database = openLedger({ databaseUrl, maxConnectionCount: 10 });
      const drop = cleanup.defer(async () => {
        await database.destroy();
        await administer(`drop database ${name} with (force)`);
      });
      return { databaseUrl, database, drop };
    },
    settle: () => administer('checkpoint'),
  };
}
