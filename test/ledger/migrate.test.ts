import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { migrateLedger } from '../../src/ledger/migrate.ts';
import { LEDGER_MIGRATION_NAMES } from '../../src/ledger/migration-names.ts';

let databaseUrl: string;
let client: pg.Client;

async function administer(statement: string): Promise<void> {
  const administrator = new pg.Client({ connectionString: inject('postgresUrl') });
  await administrator.connect();
  await administrator.query(statement).finally(() => administrator.end());
}

beforeEach(async () => {
  const name = `migrate_${randomBytes(6).toString('hex')}`;
  await administer(`create database ${name}`);
  databaseUrl = inject('postgresUrl').replace(/\/tallystick$/, `/${name}`);
  client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
});
afterEach(async () => {
  const name = databaseUrl.split('/').at(-1);
  await client.end();
  await administer(`drop database ${name} with (force)`);
});

const tableNames = async () =>
  (
    await client.query(
      "select table_name from information_schema.tables where table_schema = 'public' order by 1",
    )
  ).rows;

describe('migrating the ledger', () => {
  it('applies every file once, in order, and a second time nothing', async () => {
    const files = readdirSync(new URL('../../src/ledger/migrations/', import.meta.url)).sort();
    expect(await migrateLedger(databaseUrl)).toEqual({ applied: files, alreadyApplied: 0 });
    const tables = await tableNames();
    expect(await migrateLedger(databaseUrl)).toEqual({ applied: [], alreadyApplied: files.length });
    expect(await tableNames()).toEqual(tables);
  });

  it('knows by name exactly the files there are', () => {
    const files = readdirSync(new URL('../../src/ledger/migrations/', import.meta.url)).sort();
    expect(LEDGER_MIGRATION_NAMES).toEqual(files);
  });

  it('done by two at once is done once', async () => {
    const results = await Promise.all([migrateLedger(databaseUrl), migrateLedger(databaseUrl)]);
    expect(results.map((result) => result.applied.length).sort()).toEqual([0, LEDGER_MIGRATION_NAMES.length]);
  });

  it('refuses a ledger of a newer version, and names what it does not know', async () => {
    await migrateLedger(databaseUrl);
    await client.query("insert into ledger_migrations (name, checksum) values ('9001_tomorrow.sql', 'x')");
    await expect(migrateLedger(databaseUrl)).rejects.toMatchObject({
      code: 'LEDGER_TOO_NEW',
      retry: false,
      message: expect.stringContaining('9001_tomorrow.sql'),
    });
  });

  it('refuses a migration whose text was changed after it was applied, and names it', async () => {
    await migrateLedger(databaseUrl);
    await client.query("update ledger_migrations set checksum = 'of other words' where name like '0002%'");
    await expect(migrateLedger(databaseUrl)).rejects.toMatchObject({
      code: 'CONFLICT',
      retry: false,
      message: expect.stringContaining('0002_metering.sql'),
    });
  });

  it('that fails half-way leaves nothing behind', async () => {
    // In the way of the third file.
    await client.query('create table customers (customer_id integer)');
    await expect(migrateLedger(databaseUrl)).rejects.toThrow('customers');
    expect(await tableNames()).toEqual([{ table_name: 'customers' }]);
    await client.query('drop table customers');
    expect((await migrateLedger(databaseUrl)).applied.length).toBe(LEDGER_MIGRATION_NAMES.length);
  });
});
