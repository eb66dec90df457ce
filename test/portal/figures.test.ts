import { parse } from 'csv-parse/sync';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InvoicePreviewBody } from '../../src/previews/schemas.ts';
import type { StatementBody, StatementPreviewBody } from '../../src/statements/schemas.ts';
import { stripePreview } from '../api/world.ts';
import { createPortalBench, type PortalBench } from './bench.ts';
import { HOSTILE, insertPortalWorld } from './world.ts';

let bench: PortalBench;
let base: string;

beforeAll(async () => {
  bench = await createPortalBench();
  await insertPortalWorld(bench.ledger.database);
  const fee = {
    lineId: 'il_fee',
    description: 'Support',
    subscriptionItemId: null,
    priceId: null,
    quantity: 1n,
    amountMinor: 25_000n,
    unitAmountDecimal: '25000',
    periodStart: new Date('2026-11-01T00:00:00Z'),
    periodEnd: new Date('2026-12-01T00:00:00Z'),
  };
  bench.billing.previews.set('sub_northwind', stripePreview('northwind', { prompt: 5_000_000n }, [fee]));
  base = await bench.visit({});
});
afterAll(() => bench.close());

const read = async <Body>(path: string) => (await (await bench.call(path)).json()) as Body;
const csv = async (address: string) =>
  parse((await bench.read(address)).text, { columns: true }) as Record<string, string>[];
const money = (amount: string) =>
  new Intl.NumberFormat('en', { style: 'currency', currency: 'usd' }).format(amount as `${number}`);
const count = (tokens: string) => new Intl.NumberFormat('en').format(BigInt(tokens));
const rowsOf = ({ rows }: StatementBody['byDay']) =>
  rows.map(({ name, tokenCount, amount }) => [name, tokenCount, amount]).sort();
const cents = (amount: string) => BigInt(amount.replace('.', ''));

describe("the customer's first page", () => {
  it('says what the preview of the API says: so far, and the range at the end', async () => {
    const { text } = await bench.read(base);
    const preview = await read<InvoicePreviewBody>('/v1/customers/northwind/invoice-preview');
    const [{ total, projection } = { total: null, projection: null }] = preview.subscriptions;
    expect(total).toMatch(/\d\.\d\d$/);
    expect(text).toContain(money(total ?? ''));
    for (const bound of [projection?.total?.p10, projection?.total?.p90, projection?.total?.expected])
      expect(text).toContain(money(bound ?? 'absent'));
    expect(text).toContain('Support');
    expect(text).not.toContain('Fixed fees');
  });

  it("divides it as the API's statement does, in its page and in whole CSVs, and both as the rows of usage", async () => {
    const { text } = await bench.read(base);
    const { statements } = await read<StatementPreviewBody>('/v1/statements/preview/northwind');
    const [statement] = statements;
    if (statement === undefined) throw new Error('no statement');
    const tables = {
      days: statement.byDay,
      models: statement.byModel,
      features: statement.byFeature,
      users: statement.byUser,
    };
    for (const [name, breakdown] of Object.entries(tables)) {
      const rows = await csv(`${base}?csv=${name}`);
      expect(rows.map((row) => [row[name.slice(0, -1)], row.tokens, row.amount]).sort(), name).toEqual(
        rowsOf(breakdown),
      );
      for (const { tokenCount, amount } of breakdown.rows) {
        expect(text, name).toContain(count(tokenCount));
        expect(text, name).toContain(money(amount));
      }
    }
    const lines = await csv(`${base}?csv=lines`);
    expect(lines.map(({ line, tokens, amount }) => [line, tokens, amount])).toEqual(
      statement.lines.map(({ name, quantity, amount }) => [name, quantity ?? '', amount]),
    );
    const { rows } = await sql<{ model: string; tokens: bigint }>`
      select model, sum(delta_token_count)::bigint as tokens from hourly_usage
      where subject in (select subject from subjects where customer_id = 'northwind')
        and window_start >= '2026-11-01Z' and window_start < '2026-12-01Z' group by 1 order by 1`.execute(
      bench.ledger.database,
    );
    expect(rowsOf(statement.byModel).map(([model, tokens]) => [model, tokens])).toEqual(
      rows.map(({ model, tokens }) => [model, String(tokens)]),
    );
  });

  it('shows the parts of picked days, which sum to the rows of these days', async () => {
    const span = 'from=2026-11-12&to=2026-11-10';
    const days = await csv(`${base}?${span}&csv=days`);
    expect(days.map(({ day }) => day)).toEqual(['2026-11-10', '2026-11-11', '2026-11-12']);
    const sum = (rows: Record<string, string>[], of: (row: Record<string, string>) => bigint) =>
      rows.reduce((total, row) => total + of(row), 0n);
    const amount = sum(days, (row) => cents(row.amount ?? ''));
    const tokens = sum(days, (row) => BigInt(row.tokens ?? ''));
    for (const table of ['models', 'features', 'users']) {
      const rows = await csv(`${base}?${span}&csv=${table}`);
      expect(rows.length, table).toBeGreaterThan(1);
      expect(
        sum(rows, (row) => cents(row.amount ?? '')),
        table,
      ).toBe(amount);
      expect(
        sum(rows, (row) => BigInt(row.tokens ?? '')),
        table,
      ).toBe(tokens);
    }
    const { rows } = await sql<{ subject: string; tokens: bigint }>`
      select subject, sum(delta_token_count)::bigint as tokens from hourly_usage
      where customer_id = 'northwind' and window_start >= '2026-11-10Z' and window_start < '2026-11-13Z'
      group by 1 order by 1`.execute(bench.ledger.database);
    expect(
      (await csv(`${base}?${span}&csv=users`)).map(({ user, tokens: its }) => [user, its]).sort(),
    ).toEqual(rows.map((row) => [row.subject, String(row.tokens)]));
  });

  it.each([
    'from=2026-13-40',
    'from=x&to=y',
    'from=2025-01-01&to=2025-01-02',
    'from=2026-11-01&to=2026-11-30',
    'days-sort=nothing',
    'users-page=99999',
  ])('shows the whole period for %s', async (query) => {
    const { status, text } = await bench.read(`${base}?${query}`);
    expect(status).toBe(200);
    expect(text).not.toContain('Show the whole period');
  });

  it('has no page for a table that there is not, nor for a separator', async () => {
    for (const query of ['csv=constructor', 'csv=', 'csv=users&separator=slash'])
      expect((await bench.read(`${base}?${query}`)).status, query).toBe(404);
  });

  it('calls users by the names that the host gave, whatever these are', async () => {
    const { text } = await bench.read(base);
    expect(text).toContain('Ada Lovelace');
    expect(text).not.toContain('<script>alert');
    expect((await csv(`${base}?csv=users`)).find(({ user }) => user === 'user-2')?.name).toBe(HOSTILE);
  });

  it('says the plan in words: what is included, and what a million costs beyond', async () => {
    const german = (await bench.read(base, 'de')).text;
    expect(german).toContain(
      'GPT-4o mini Eingabe-Token: die ersten 6.000.000.000 sind enthalten; danach 0,15\u00a0$ für eine Million.',
    );
    await bench.ledger.database
      .updateTable('subscription_items')
      .set({ price_plan: 'scale' })
      .where('customer_id', '=', 'northwind')
      .execute();
    const { plans } = await read<{ plans: { planId: string; name: string }[] }>('/v1/plans');
    const scale = plans.find(({ planId }) => planId === 'scale');
    if (scale !== undefined) expect((await bench.read(base)).text).toContain(`the plan “${scale.name}”`);
  });

  it('never says what it cost the house', async () => {
    for (const path of ['', '/hours?day=2026-11-20', '/invoices/in_october'])
      expect((await bench.read(`${base}${path}`)).text).not.toMatch(/margin|our cost|profit/i);
  });
});

describe('an invoice', () => {
  it("is divided as the API's statement", async () => {
    const statement = await read<StatementBody>('/v1/statements/in_october');
    const { text } = await bench.read(`${base}/invoices/in_october`);
    expect(text).toContain(money(statement.totals.amount ?? ''));
    for (const [name, breakdown] of Object.entries({
      days: statement.byDay,
      models: statement.byModel,
      users: statement.byUser,
    })) {
      const rows = await csv(`${base}/invoices/in_october?csv=${name}`);
      expect(rows.map((row) => [row[name.slice(0, -1)], row.tokens, row.amount]).sort(), name).toEqual(
        rowsOf(breakdown),
      );
    }
    const whole = await csv(`${base}/invoices/in_october?csv=statement`);
    expect(whole.find(({ section, kind }) => section === 'total' && kind === 'invoice')?.amount).toBe(
      '12500.00',
    );
    expect((await bench.read(base)).text).toContain(money(statement.totals.amount ?? ''));
  });

  it('shows users of picked days', async () => {
    const rows = await csv(`${base}/invoices/in_october?from=2026-10-20&csv=users`);
    expect(rows.map(({ user, tokens, amount }) => [user, tokens, amount])).toEqual([
      ['user-2', '1000000000', '3000.00'],
    ]);
  });
});

describe('the hours of a day', () => {
  it("are those of the API, and sum to the day's row", async () => {
    const rows = await csv(`${base}/hours?day=2026-11-20&zone=Asia%2FTokyo&csv=hours`);
    const usage = await read<{ rows: { windowStart: string; tokenCount: string }[] }>(
      '/v1/usage?from=2026-11-20&to=2026-11-21&granularity=hour&customerId=northwind',
    );
    expect(rows).toHaveLength(24);
    expect(rows.filter(({ tokens }) => tokens !== '0').map(({ hour, tokens }) => [hour, tokens])).toEqual(
      usage.rows.map(({ windowStart, tokenCount }) => [windowStart, tokenCount]),
    );
    const day = (await csv(`${base}?csv=days`)).find((row) => row.day === '2026-11-20');
    expect(String(rows.reduce((sum, { tokens }) => sum + BigInt(tokens ?? ''), 0n))).toBe(day?.tokens);
  });

  it.each([
    ['2026-11-20', ''],
    // Not pushed yet.
    ['2026-11-21', ''],
    ['2026-10-20', '/invoices/in_october'],
  ])("come to the amount of the day's row: %s", async (asked, statement) => {
    const rows = await csv(`${base}/hours?day=${asked}&csv=hours`);
    const day = (await csv(`${base}${statement}?csv=days`)).find((row) => row.day === asked);
    const amounts = rows.map(({ amount }) => cents(amount ?? ''));
    expect(amounts.reduce((sum, amount) => sum + amount, 0n)).toBe(cents(day?.amount ?? ''));
    expect(amounts.some((amount) => amount > 0n)).toBe(true);
    const [first] = await csv(`${await bench.visit({ userId: 'user-2' })}/hours?day=${asked}&csv=hours`);
    expect(first, 'one user sees no money').not.toHaveProperty('amount');
  });

  it('say nothing of money where no statement has the day', async () => {
    const [first] = await csv(`${base}/hours?day=2026-08-20&csv=hours`);
    expect(first).not.toHaveProperty('amount');
  });

  it("stand at the time of the reader's zone", async () => {
    const { text } = await bench.read(`${base}/hours?day=2026-11-20&zone=Asia%2FKolkata`);
    expect(text).toMatch(/<time datetime="2026-11-20T08:00:00.000Z">[^<]*(13:30|01:30 PM)/);
    for (const zone of ['Nowhere/Land', '"><script>', ''])
      expect((await bench.read(`${base}/hours?zone=${encodeURIComponent(zone)}`)).text).toContain(
        'value="UTC" selected',
      );
  });
});

describe('one user', () => {
  it('sees the tokens that the statement has for them, and what is left in whole percent', async () => {
    const { statements } = await read<StatementPreviewBody>('/v1/statements/preview/northwind');
    const own = statements[0]?.byUser.rows.find(({ name }) => name === 'user-2');
    const visit = await bench.visit({ userId: 'user-2' });
    const { text } = await bench.read(visit);
    expect(text).toContain(count(own?.tokenCount ?? ''));
    for (const table of ['models', 'features', 'days']) {
      const rows = await csv(`${visit}?csv=${table}`);
      expect(String(rows.reduce((sum, { tokens }) => sum + BigInt(tokens ?? ''), 0n)), table).toBe(
        own?.tokenCount,
      );
    }
    expect(text).toContain('24% of it is left');
  });
});
