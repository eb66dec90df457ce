import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { inject } from 'vitest';
import { type LedgerDatabase, openLedger } from '../../src/platform/database/database.ts';
import { migrateLedger } from '../../src/platform/database/migrate.ts';
import { LEDGER_MIGRATION_NAMES } from '../../src/platform/database/migration-names.ts';

export interface EarlierLedger {
  client: pg.Client;
  database: LedgerDatabase;
  /** Brings it to what it is today. */
  migrate(): Promise<void>;
  close(): Promise<void>;
}

async function administer(statement: string): Promise<void> {
  const administrator = new pg.Client({ connectionString: inject('postgresUrl') });
  await administrator.connect();
  await administrator.query(statement).finally(() => administrator.end());
}

/** A ledger as it was before the migration whose file is called so. */
export async function openLedgerBefore(migration: RegExp): Promise<EarlierLedger> {
  const name = `migrate_${randomBytes(6).toString('hex')}`;
  await administer(`create database ${name}`);
  const databaseUrl = inject('postgresUrl').replace(/\/tallystick$/, `/${name}`);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(
    'create table ledger_migrations (name text primary key, checksum text not null, applied_at timestamptz not null default now())',
  );
  const count = LEDGER_MIGRATION_NAMES.findIndex((one) => migration.test(one));
  for (const file of LEDGER_MIGRATION_NAMES.slice(0, count)) {
    const text = await readFile(
      new URL(`../../src/platform/database/migrations/${file}`, import.meta.url),
      'utf8',
    );
    await client.query(text);
    const checksum = createHash('sha256').update(text).digest('hex');
    await client.query('insert into ledger_migrations (name, checksum) values ($1, $2)', [file, checksum]);
  }
  const database = openLedger({ databaseUrl, maxConnectionCount: 4 });
  return {
    client,
    database,
    migrate: async () => void (await migrateLedger(databaseUrl)),
    close: async () => {
      await database.destroy();
      await client.end();
      await administer(`drop database ${name} with (force)`);
    },
  };
}
