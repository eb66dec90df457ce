import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openLedger } from '../../src/platform/database/database.ts';
import { migrateLedger } from '../../src/platform/database/migrate.ts';
import { readMigrationFiles } from '../../src/platform/database/migration-files.ts';
import { LEDGER_MIGRATION_NAMES } from '../../src/platform/database/migration-names.ts';
import { findMissingMigrations } from '../../src/status/status.ts';

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
    const files = (await readMigrationFiles()).map((file) => file.name);
    expect(await migrateLedger(databaseUrl)).toEqual({ applied: files, alreadyApplied: 0 });
    const tables = await tableNames();
    expect(await migrateLedger(databaseUrl)).toEqual({ applied: [], alreadyApplied: files.length });
    expect(await tableNames()).toEqual(tables);
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

  it('knows a migration that had another number when it ran', async () => {
    await migrateLedger(databaseUrl);
    await client.query(
      "update ledger_migrations set name = '0017_operations.sql' where name = '0018_operations.sql'",
    );
    expect(await migrateLedger(databaseUrl)).toMatchObject({ applied: [] });
    const database = openLedger({ databaseUrl, maxConnectionCount: 1 });
    expect(await findMissingMigrations(database).finally(() => database.destroy())).toEqual([]);
  });

  it('refuses a migration whose text was changed after it was applied, and says what mends it', async () => {
    await migrateLedger(databaseUrl);
    const before = await client.query('select * from ledger_migrations order by name');
    await client.query("update ledger_migrations set checksum = 'of other words' where name like '0002%'");
    const refusal = await migrateLedger(databaseUrl).catch((error) => error);
    expect(refusal).toMatchObject({
      code: 'CONFLICT',
      retry: false,
      message: expect.stringContaining('0002_metering.sql'),
    });
    const [statement = ''] = /update ledger_migrations .*?;/.exec(refusal.fix) ?? [];
    await client.query(statement);
    expect((await client.query('select * from ledger_migrations order by name')).rows).toEqual(before.rows);
    expect(await migrateLedger(databaseUrl)).toMatchObject({ applied: [] });
  });

  it('that is killed half-way leaves nothing behind, and goes through the next time', async () => {
    // Waits for this before the third file makes the table of the same name.
    await client.query('begin');
    await client.query('create table customers (customer_id integer)');
    const killed = migrateLedger(databaseUrl).catch((error) => error);
    const waiting =
      'select pid from pg_locks where not granted and pg_backend_pid() = any (pg_blocking_pids(pid))';
    let pid: number | undefined;
    while (pid === undefined) pid = (await client.query(waiting)).rows[0]?.pid;
    await client.query('select pg_terminate_backend($1)', [pid]);
    expect(await killed).toBeInstanceOf(Error);
    await client.query('rollback');
    expect(await tableNames()).toEqual([]);
    expect((await migrateLedger(databaseUrl)).applied).toEqual(LEDGER_MIGRATION_NAMES);
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
