import { rmSync } from 'node:fs';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLedger } from '../../src/platform/database/database.ts';
import { findFreePort, startEmbeddedPostgres } from '../../src/platform/embedded/postgres.ts';
import { makeTemporaryDirectory } from '../setup/data-directory.ts';

let directory: string;
beforeEach(() => {
  directory = makeTemporaryDirectory('restart');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a restart of Postgres inside a transaction fails that transaction and nothing else', async () => {
  const port = await findFreePort();
  const start = () => startEmbeddedPostgres({ dataDirectory: directory, durable: false, port });
  let server = await start();
  const ledger = openLedger({ databaseUrl: server.databaseUrl, maxConnectionCount: 2 });
  try {
    const torn = ledger.transaction().execute(async (transaction) => {
      await sql`select 1`.execute(transaction);
      await server.stop();
      server = await start();
      // The connection's end arrives while no statement is under way.
      await new Promise((resolve) => setTimeout(resolve, 100));
      await sql`select 1`.execute(transaction);
    });
    await expect(torn).rejects.toThrow();
    await expect
      .poll(async () => (await sql<{ one: number }>`select 1 as one`.execute(ledger)).rows)
      .toEqual([{ one: 1 }]);
  } finally {
    await ledger.destroy();
    await server.stop();
  }
});
