import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { sql } from 'kysely';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { minorUnitDigits } from '../../pricing/money.ts';
import { TOKEN_TYPES } from '../../pricing/usage/shape.ts';
import { readRollupTotals } from '../../src/costs/rollups/totals.ts';
import { grantReader, revokeReader } from '../../src/reporting/readers.ts';
import { scramVerifier } from '../../src/reporting/scram.ts';
import { insertRequests, insertRollupWorld, rate, scopeOf } from '../costs/rollup-world.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { hasPgBouncer, startTestPgBouncer } from '../setup/pgbouncer.ts';

const NOW = new Date('2026-11-21T10:30:00Z');
const PAGE = readFileSync(new URL('../../docs/reporting.md', import.meta.url), 'utf8');

let ledger: TestLedger;
let role: string;

beforeEach(async () => {
  ledger = await createTestLedger();
  // Roles are the server's, which other tests use as well.
  role = `reader_${randomBytes(6).toString('hex')}`;
});
afterEach(async () => {
  const made = await sql`select from pg_roles where rolname = ${role}`.execute(ledger.database);
  if (made.rows.length > 0) {
    await sql`drop owned by ${sql.id(role)}`.execute(ledger.database);
    await sql`drop role ${sql.id(role)}`.execute(ledger.database);
  }
  await ledger.close();
});

const grant = (more: { newPassword?: boolean } = {}) =>
  grantReader(ledger.database, { role, newPassword: false, actor: 'test', now: NOW, ...more });

async function withReader<Result>(
  password: string | null,
  work: (client: pg.Client) => Promise<Result>,
  databaseUrl = ledger.databaseUrl,
): Promise<Result> {
  const url = new URL(databaseUrl);
  url.username = role;
  url.password = password ?? '';
  const client = new pg.Client({ connectionString: url.toString() });
  await client.connect();
  return await work(client).finally(() => client.end());
}

async function viewColumns(): Promise<Map<string, string[]>> {
  const found = await sql<{ view: string; column: string }>`
    select table_name as view, column_name as column from information_schema.columns
    where table_schema = 'reporting' order by table_name, ordinal_position`.execute(ledger.database);
  return new Map(
    [...Map.groupBy(found.rows, (row) => row.view)].map(([view, rows]) => [
      view,
      rows.map((row) => row.column),
    ]),
  );
}

describe('the schema reporting', () => {
  it('has the views and columns that its page lists, in its order, and no other', async () => {
    const listed = new Map(
      PAGE.split('\n## ')
        .filter((section) => section.startsWith('`reporting.'))
        .map((section) => [
          /^`reporting\.(\w+)`/.exec(section)?.[1] ?? '',
          [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, column]) => column ?? ''),
        ]),
    );
    const actual = await viewColumns();
    expect([...listed.keys()].sort()).toEqual([...actual.keys()].sort());
    for (const [view, columns] of actual) expect([view, listed.get(view)]).toEqual([view, columns]);
    const daily = actual.get('daily_usage') ?? [];
    for (const tokenType of TOKEN_TYPES) expect(daily).toContain(`${tokenType}_token_count`);
    expect(
      (await sql<{ version: number }>`select version from reporting.about`.execute(ledger.database)).rows,
    ).toEqual([{ version: 1 }]);
  });

  it('says what the rollups say, in units of the currency', async () => {
    await insertRollupWorld(ledger.database);
    await insertRequests(ledger.database, [{ hour: '2026-11-02T09:00:00Z', requests: 5n }]);
    await rate(ledger.database);
    const totals = await readRollupTotals(ledger.database, await scopeOf(ledger.database));
    const inUnits = (picoText: string, digits: number) =>
      sql`${picoText}::numeric / ('1e' || ${digits})::numeric`;
    const november = sql`day >= '2026-11-01' and day < '2026-12-01'`;
    const cost = String(totals.tokenCostPicoUsd + totals.provisionedCostPicoUsd);
    for (const { name, condition } of [
      { name: 'daily_costs', condition: sql`kind <> 'idle'` },
      { name: 'daily_users', condition: sql`true` },
    ]) {
      const sums = await sql<{ tokens: string; requests: string; agrees: boolean }>`
        select sum(token_count)::text as tokens, sum(request_count)::text as requests,
          sum(cost_usd) * 1e12 = ${cost}::numeric as agrees
        from ${sql.id('reporting', name)} where ${november} and ${condition}`.execute(ledger.database);
      expect([name, sums.rows]).toEqual([
        name,
        [{ tokens: String(totals.tokenCount), requests: String(totals.requestCount), agrees: true }],
      ]);
    }
    const money = await sql<{ currency: string; revenue: string; known: string; overhead: string }>`
      select currency, sum(revenue)::text as revenue from reporting.daily_usage
      where ${november} and currency is not null group by 1 order by 1`.execute(ledger.database);
    for (const { currency, revenuePicoMinor } of totals.currencies) {
      const row = money.rows.find((entry) => entry.currency === currency);
      const exact = await sql<{ agrees: boolean }>`
        select ${row?.revenue ?? null}::numeric = ${inUnits(String(revenuePicoMinor), 12 + minorUnitDigits(currency))} as agrees`.execute(
        ledger.database,
      );
      expect([currency, exact.rows]).toEqual([currency, [{ agrees: true }]]);
    }
    const users = await sql<{ users: bigint }>`
      select count(distinct user_id) as users from reporting.daily_users
      where ${november} and token_count > 0 and customer_id is not null`.execute(ledger.database);
    expect(users.rows).toEqual([{ users: totals.activeUserCount }]);
    const counts = await sql<Record<string, string>>`
      select sum(unpriced_token_count)::text as unpriced, sum(unattributed_token_count)::text as unattributed,
        max(active_user_count)::text as most_users, sum(overhead_usd) * 1e12 = ${String(totals.idleCostPicoUsd)}::numeric as idle
      from reporting.daily_usage where ${november}`.execute(ledger.database);
    expect(counts.rows).toEqual([{ unpriced: '13', unattributed: '17', most_users: '2', idle: true }]);
  });

  it('divides minor units as each currency has them', async () => {
    await insertRollupWorld(ledger.database);
    for (const currency of ['usd', 'jpy', 'kwd', 'ugx', 'xof', 'tnd']) {
      await sql`
        insert into invoices (invoice_id, customer_id, currency, status, total_minor, period_start, period_end, synced_at)
        values (${currency}, 'northwind', ${currency}, 'open', 12345, now(), now() + interval '1 day', now())`.execute(
        ledger.database,
      );
      const { rows } = await sql<{ minor: number }>`
        select (12345 / total)::float8 as minor from reporting.invoices where invoice_id = ${currency}`.execute(
        ledger.database,
      );
      expect([currency, rows[0]?.minor]).toEqual([currency, 10 ** minorUnitDigits(currency)]);
    }
  });
});

describe('a reader', () => {
  it('reads every view and nothing else, and writes nowhere', async () => {
    await insertRollupWorld(ledger.database);
    const { password } = await grant();
    const views = [...(await viewColumns()).keys()];
    const tables = await sql<{ name: string }>`
      select c.oid::regclass::text as name from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = 'public' and c.relkind in ('r', 'p', 'v', 'm')`.execute(ledger.database);
    expect(tables.rows.length).toBeGreaterThan(50);
    await withReader(password, async (client) => {
      for (const view of views) await client.query(`select * from ${view} limit 1`);
      for (const { name } of tables.rows) {
        await expect(client.query(`select 1 from public.${name} limit 1`), name).rejects.toMatchObject({
          code: '42501',
        });
      }
      await client.query('set default_transaction_read_only = off');
      for (const statement of [
        "insert into reporting.customers (customer_id) values ('x')",
        'delete from reporting.daily_costs',
        'create table reporting.mine (a int)',
        'create table public.mine (a int)',
        'create schema mine',
        `alter role ${role} superuser`,
      ]) {
        await expect(client.query(statement), statement).rejects.toMatchObject({
          code: expect.stringMatching(/^(42501|55000)$/),
        });
      }
    });
    const audits = await ledger.database
      .selectFrom('audit_log')
      .select(['action', 'target', 'details'])
      .execute();
    expect(audits.filter(({ action }) => action === 'reporting.grant')).toMatchObject([
      { target: role, details: { isNew: true, hasNewPassword: true } },
    ]);
    expect(JSON.stringify(audits)).not.toContain(password);
  });

  it('is granted again without a change, gets another password when asked to, and loses its right', async () => {
    const first = await grant();
    expect(await grant()).toEqual({ role, password: null });
    const stored = async () =>
      (
        await sql<{
          verifier: string;
        }>`select rolpassword as verifier from pg_authid where rolname = ${role}`.execute(ledger.database)
      ).rows[0]?.verifier ?? '';
    const saltOf = (verifier: string) => Buffer.from(verifier.split(/[:$]/)[2] ?? '', 'base64');
    expect(scramVerifier(first.password ?? '', saltOf(await stored()))).toBe(await stored());
    const second = await grant({ newPassword: true });
    expect(second.password).not.toBe(first.password);
    expect(scramVerifier(second.password ?? '', saltOf(await stored()))).toBe(await stored());
    await revokeReader(ledger.database, { role, actor: 'test', now: NOW });
    await withReader(second.password, (client) =>
      expect(client.query('select * from reporting.customers')).rejects.toMatchObject({ code: '42501' }),
    );
  });

  it('is refused where the role is none, could do more, or is not there', async () => {
    for (const bad of ['Robert"; drop', 'UPPER', '', 'x'.repeat(64), 'ü']) {
      await expect(
        grantReader(ledger.database, { role: bad, newPassword: false, actor: 'test', now: NOW }),
      ).rejects.toMatchObject({ code: 'VALIDATION' });
    }
    await sql`create role ${sql.id(role)} login`.execute(ledger.database);
    await sql`grant select on customers to ${sql.id(role)}`.execute(ledger.database);
    await expect(grant()).rejects.toMatchObject({ code: 'CONFLICT' });
    const owner = new URL(ledger.databaseUrl).username;
    await expect(
      grantReader(ledger.database, { role: owner, newPassword: false, actor: 'test', now: NOW }),
    ).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(
      revokeReader(ledger.database, { role: `${role}_no`, actor: 'test', now: NOW }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('has the password that it was told, as Postgres keeps it', () => {
    // RFC 7677, section 3: the server's signature follows from the key that is kept.
    const verifier = scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'));
    expect(verifier).toBe(
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    );
  });

  it.runIf(hasPgBouncer())('keeps its limits behind PgBouncer in transaction mode', async () => {
    const { password } = await grant();
    const url = new URL(ledger.databaseUrl);
    url.username = role;
    url.password = password ?? '';
    const pooler = await startTestPgBouncer(url.toString(), 2);
    try {
      await withReader(
        password,
        async (client) => {
          await client.query('select * from customers limit 1');
          const { rows } = await client.query(
            "select current_setting('default_transaction_read_only') as read_only, current_setting('statement_timeout') as timeout",
          );
          expect(rows).toEqual([{ read_only: 'on', timeout: '1min' }]);
        },
        pooler.databaseUrl,
      );
    } finally {
      await pooler.stop();
    }
  });
});
