import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import pg from 'pg';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { grantReader } from '../../src/reporting/readers.ts';
import { insertUsage } from '../api/world.ts';
import { insertRequests, insertRollupWorld, rate } from '../costs/rollup-world.ts';
import { interpolateSql, type Range } from './panels.ts';

export const HOSTILE = `o'brien"; drop $$ \\ $1`;
/** The day on which a loop of northwind's cost a hundred dollars, and what the same weekday cost before: a dollar. */
export const LOOP_DAY = '2026-11-17';

/** The world of rollups, eight weeks of Tuesdays and a loop, requests, and two customers of one name, one of them hostile. */
export async function insertDashboardWorld(database: LedgerDatabase): Promise<void> {
  await insertRollupWorld(database);
  await sql`
    insert into customers (customer_id, stripe_customer_id, tenant_key, name, currency, deleted_at, synced_at)
    select id, 'cus_' || md5(id), id, 'NORTHWIND', 'usd', null, now() from unnest(${[HOSTILE, 'silent']}::text[]) as id`.execute(
    database,
  );
  await sql`
    insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
    values ('user-9', ${HOSTILE}, ${HOSTILE}, 'tenant', now(), now())`.execute(database);
  const tuesdays = Array.from({ length: 8 }, (_, week) =>
    new Date(Date.parse(LOOP_DAY) - (week + 1) * 7 * 86_400_000).toISOString().slice(0, 10),
  );
  await insertUsage(database, [
    ...tuesdays.map((day) => ({ hour: `${day}T09:00:00Z`, tokens: 400_000n })),
    { hour: `${LOOP_DAY}T09:00:00Z`, tokens: 40_000_000n, feature: 'search' },
    { hour: '2026-11-04T09:00:00Z', tokens: 1_000n, subject: 'user-9', customer: HOSTILE, feature: '' },
  ]);
  await insertRequests(database, [
    { hour: '2026-11-02T09:00:00Z', requests: 5n },
    { hour: `${LOOP_DAY}T09:00:00Z`, requests: 50n, feature: 'search' },
    { hour: '2026-11-06T09:00:00Z', requests: 7n, subject: 'user-3' },
  ]);
  await rate(database);
}

export interface Reader {
  /** What Grafana would be answered. */
  ask(rawSql: string, range: Range): Promise<pg.QueryResult<Record<string, unknown>>>;
  close(): Promise<void>;
}

/** A connection of a role that reads `reporting` and nothing else, in a session whose time zone is not UTC. */
export async function connectReader(database: LedgerDatabase, databaseUrl: string): Promise<Reader> {
  const role = `reader_${randomBytes(6).toString('hex')}`;
  const { password } = await grantReader(database, {
    role,
    newPassword: false,
    actor: 'test',
    now: new Date('2026-11-21T10:30:00Z'),
  });
  const url = new URL(databaseUrl);
  url.username = role;
  url.password = password ?? '';
  const client = new pg.Client({ connectionString: url.toString() });
  await client.connect();
  await client.query(`set time zone 'Pacific/Kiritimati'`);
  return {
    ask: (rawSql, range) => client.query(interpolateSql(rawSql, range)),
    close: async () => {
      await client.end();
      await sql`drop owned by ${sql.id(role)}`.execute(database);
      await sql`drop role ${sql.id(role)}`.execute(database);
    },
  };
}
