import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { type LedgerDatabase, openLedger } from '../../src/platform/database/database.ts';

export interface TestLedger {
  databaseUrl: string;
  database: LedgerDatabase;
  close(): Promise<void>;
}

/** A migrated ledger of its own on the run's real Postgres. */
export async function createTestLedger(): Promise<TestLedger> {
  const serverUrl = inject('postgresUrl');
  const name = `ledger_${randomBytes(6).toString('hex')}`;
  const administer = async (statement: string) => {
    const client = new pg.Client({ connectionString: serverUrl });
    await client.connect();
    await client.query(statement).finally(() => client.end());
  };
  // Files are copied as they are: page by page through the log, the default, costs ten times the processor's time.
  await administer(`create database ${name} template ledger_template strategy file_copy`);
  const databaseUrl = serverUrl.replace(/\/tallystick$/, `/${name}`);
  const database = openLedger({ databaseUrl, maxConnectionCount: 10 });
  let closed: Promise<void> | undefined;
  const close = async () => {
    await database.destroy();
    await administer(`drop database ${name} with (force)`);
  };
  // A file that closes after each test closes again after one that opened none.
  return { databaseUrl, database, close: () => (closed ??= close()) };
}
