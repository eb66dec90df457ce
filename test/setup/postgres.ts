import { rmSync } from 'node:fs';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { seedPlans } from '../../src/plans/seed.ts';
import { openLedger } from '../../src/platform/database/database.ts';
import { migrateLedger } from '../../src/platform/database/migrate.ts';
import { startEmbeddedPostgres } from '../../src/platform/embedded/postgres.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { makeTemporaryDirectory } from './data-directory.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
  }
}

/** One real Postgres for the whole run, and a migrated template that each test's ledger is copied from. */
export default async function setup(project: TestProject) {
  const directory = makeTemporaryDirectory('test');
  const server = await startEmbeddedPostgres({
    dataDirectory: directory,
    durable: false,
    maxConnectionCount: 200,
  });
  const template = server.databaseUrl.replace(/\/tallystick$/, '/ledger_template');
  const client = new pg.Client({ connectionString: server.databaseUrl });
  await client.connect();
  await client.query('create database ledger_template');
  // Each of thousands of connections would go through the 4,096 rounds that protect a password worth stealing.
  await client.query('set scram_iterations = 1');
  await client.query(`alter role tallystick password '${new URL(server.databaseUrl).password}'`);
  await client.end();
  await migrateLedger(template);
  const ledger = openLedger({ databaseUrl: template, maxConnectionCount: 1 });
  await seedPriceBook(ledger, new Date('2026-01-01T00:00:00Z'));
  await seedPlans(ledger, new Date('2026-01-01T00:00:00Z'));
  await ledger.destroy();
  project.provide('postgresUrl', server.databaseUrl);
  return async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
}
