import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { migrateLedger } from '../../src/platform/database/migrate.ts';
import { checksumOf, readMigrationFiles } from '../../src/platform/database/migration-files.ts';
import { migrationSlug } from '../../src/platform/database/migration-names.ts';

/**
 * Migrations by commit, under their names of then; where the text was another than today's, it lies in the folder of the
 * commit that wrote it. These few commits hold every text that a migration ever had before they were frozen, one that
 * ran before those numbered below it, and the numbers from before they were made unique.
 */
const EARLIER = new URL('./earlier-migrations/', import.meta.url);
const COMMITS: Record<string, string[]> = JSON.parse(readFileSync(new URL('commits.json', EARLIER), 'utf8'));

async function administer(statement: string): Promise<void> {
  const administrator = new pg.Client({ connectionString: inject('postgresUrl') });
  await administrator.connect();
  await administrator.query(statement).finally(() => administrator.end());
}

async function createDatabase(): Promise<string> {
  const name = `upgrade_${randomBytes(6).toString('hex')}`;
  await administer(`create database ${name}`);
  return inject('postgresUrl').replace(/\/tallystick$/, `/${name}`);
}

async function withClient<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  return await work(client).finally(() => client.end());
}

/** As the commit migrated: its files in their order, with the names and checksums that it recorded. */
async function migrateAsOf(client: pg.Client, commit: string): Promise<void> {
  const today = new Map((await readMigrationFiles()).map((file) => [file.slug, file.text]));
  await client.query(
    `create table ledger_migrations (
       name text primary key, checksum text not null, applied_at timestamptz not null default now())`,
  );
  for (const place of COMMITS[commit] ?? []) {
    const name = place.split('/').at(-1) ?? '';
    const text =
      place === name ? (today.get(migrationSlug(name)) ?? '') : readFileSync(new URL(place, EARLIER), 'utf8');
    await client.query(text);
    await client.query('insert into ledger_migrations (name, checksum) values ($1, $2)', [
      name,
      checksumOf(text),
    ]);
  }
}

/** Everything that the catalog says of the schema, but for the order of columns. */
async function describeSchema(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(`
    select concat_ws(' ', c.relkind, c.relname, c.reloptions::text, a.attname, format_type(a.atttypid, a.atttypmod),
        a.attnotnull, a.attidentity, a.attstorage, pg_get_expr(d.adbin, d.adrelid)) as line
      from pg_class c join pg_attribute a on a.attrelid = c.oid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
      where c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped and c.relkind <> 'i'
    union all select concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
      from pg_constraint where connamespace = 'public'::regnamespace and contype <> 'n'
    union all select indexdef from pg_indexes where schemaname = 'public'
    union all select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
    union all select pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
    union all select definition from pg_views where schemaname = 'public'
    union all select pg_get_statisticsobjdef(oid) from pg_statistic_ext
    order by 1`);
  return rows.map((row) => row.line);
}

let schemaToday: string[];
const databases: string[] = [];
beforeAll(async () => {
  const databaseUrl = await createDatabase();
  databases.push(databaseUrl);
  await migrateLedger(databaseUrl);
  schemaToday = await withClient(databaseUrl, describeSchema);
});
let databaseUrl: string;
beforeEach(async () => {
  databaseUrl = await createDatabase();
  databases.push(databaseUrl);
});
const dropAll = async () => {
  for (const url of databases.splice(0))
    await administer(`drop database ${url.split('/').at(-1)} with (force)`);
};
afterEach(dropAll);
afterAll(dropAll);

describe('a ledger that an earlier commit migrated', () => {
  it.each(Object.keys(COMMITS))('%s: has the schema of today afterwards', async (commit) => {
    await withClient(databaseUrl, async (client) => {
      await migrateAsOf(client, commit);
      expect((await migrateLedger(databaseUrl)).alreadyApplied).toBeLessThanOrEqual(
        COMMITS[commit]?.length ?? 0,
      );
      expect(await describeSchema(client)).toEqual(schemaToday);
      const files = await readMigrationFiles();
      expect(await migrateLedger(databaseUrl)).toEqual({ applied: [], alreadyApplied: files.length });
    });
  });

  it('keeps quotes to the letter', async () => {
    await withClient(databaseUrl, async (client) => {
      await migrateAsOf(client, '3eb919c');
      const text = '{"b": 1,  "a": 2}';
      await client.query(
        `insert into quotes (quote_id, request, result, price_book_version, created_by, created_at)
         values ('q', $1, $1, 'v', 'test', now())`,
        [text],
      );
      await migrateLedger(databaseUrl);
      expect((await client.query('select request, result from quotes')).rows).toEqual([
        { request: text, result: text },
      ]);
    });
  });
});
