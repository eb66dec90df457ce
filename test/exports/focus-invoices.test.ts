import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StatementBody } from '../../src/statements/schemas.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { insertInvoice, storeLines } from '../api/statement-world.ts';
import { insertCatalog, insertUsage } from '../api/world.ts';

let bench: ApiBench;
const push = { meterId: 'mtr_prompt', status: 'delivered' as const };
beforeAll(async () => {
  bench = await createApiBench();
  const { database } = bench.ledger;
  await insertCatalog(database);
  bench.clock.instant = new Date('2026-12-01T04:00:00Z');
  await insertUsage(database, [
    { hour: '2026-11-03T10:00:00Z', tokens: 1_000_001n, push },
    { hour: '2026-11-03T11:00:00Z', tokens: 999_999n, subject: 'user-2', feature: 'search', push },
    { hour: '2026-11-30T23:00:00Z', tokens: 1_000_000n, push },
    // Of no line of the invoice: another customer, another period.
    { hour: '2026-11-03T10:00:00Z', tokens: 77n, customer: 'adatum', subject: 'user-3', push },
    { hour: '2026-12-01T00:00:00Z', tokens: 88n, push },
  ]);
  await insertInvoice(database, { id: 'in_1', totalMinor: 1_501n });
  await storeLines(database, {
    id: 'in_1',
    totalMinor: 1_501n,
    lines: [
      {
        lineId: 'il_prompt',
        description: '3,000,007 × GPT-4o prompt',
        subscriptionItemId: 'si_northwind_prompt',
        // Seven tokens, and their share of the amount, are in no usage here.
        quantity: 3_000_007n,
        unitAmountDecimal: '0.0003',
        amountMinor: 901n,
      },
      { lineId: 'il_fee', description: 'Support', amountMinor: 500n },
      { lineId: 'il_minimum', description: 'Minimum of the plan', amountMinor: 300n },
      { lineId: 'il_credit', description: 'Goodwill', amountMinor: -100n },
      {
        lineId: 'il_late',
        description: 'Late usage of October, 5,000 tokens',
        quantity: 5_000n,
        invoiceItemId: 'ii_late',
        amountMinor: 50n,
        periodStart: new Date('2026-10-01T00:00:00Z'),
        periodEnd: new Date('2026-11-01T00:00:00Z'),
      },
    ],
  });
  await database.updateTable('invoices').set({ credited_minor: 25n }).execute();
  // Left out: a draft, a voided one, and (told) one whose lines nobody has read.
  await insertInvoice(database, { id: 'in_draft', status: 'draft', totalMinor: 9_999n });
  await insertInvoice(database, { id: 'in_void', status: 'void', totalMinor: 9_999n });
  await insertInvoice(database, { id: 'in_unread', customer: 'adatum', totalMinor: 9_999n });
});
afterAll(() => bench.close());

type Row = Record<string, string>;
async function readRows(window: string): Promise<Row[]> {
  const response = await bench.call(`/v1/exports/focus?perspective=invoices&version=1.4&${window}`);
  expect(response.status, await response.clone().text()).toBe(200);
  return parse(await response.text(), { columns: true }) as Row[];
}
const cents = (rows: readonly Row[]) =>
  rows.reduce((sum, { BilledCost }) => sum + Math.round(Number(BilledCost) * 100), 0);

it('sums to the invoice less its credit notes, in whatever windows it is read', async () => {
  const all = await readRows('from=2026-10-01&to=2026-12-01');
  expect(cents(all)).toBe(1_501 - 25);
  const parts = [
    await readRows('period=2026-10'),
    await readRows('from=2026-11-01&to=2026-11-04'),
    await readRows('from=2026-11-04&to=2026-12-01'),
  ];
  expect(parts.map((rows) => rows.length)).toEqual([1, 8, 1]);
  const sorted = (rows: readonly Row[]) => rows.map((row) => JSON.stringify(row)).sort();
  expect(sorted(parts.flat())).toEqual(sorted(all));
});

it('divides usage as the statement does, by day and feature at once', async () => {
  const statement = (await (await bench.call('/v1/statements/in_1')).json()) as StatementBody;
  const usage = (await readRows('period=2026-11')).filter(({ ChargeCategory }) => ChargeCategory === 'Usage');
  for (const [column, table] of [
    ['ChargePeriodStart', statement.byDay],
    ['x_Feature', statement.byFeature],
  ] as const) {
    for (const { name, amount, tokenCount } of table.rows) {
      const own = usage.filter((row) => row[column] === name || row[column] === `${name}T00:00:00Z`);
      expect([name, own.reduce((sum, row) => sum + Number(row.ConsumedQuantity), 0)]).toEqual([
        name,
        Number(tokenCount),
      ]);
      // Each table shares out what a division leaves over by itself: a cent may lie with a neighbour.
      expect(Math.abs(cents(own) - Math.round(Number(amount) * 100))).toBeLessThanOrEqual(1);
    }
  }
  expect(usage).toMatchObject([
    { x_Feature: 'chat', SubAccountId: 'northwind', InvoiceId: 'in_1', InvoiceDetailId: 'il_prompt' },
    { x_Feature: 'search', PricingUnit: '1000000 Tokens', BillingCurrency: 'USD' },
    { x_Feature: 'chat', ChargePeriodStart: '2026-11-30T00:00:00Z' },
  ]);
  expect(cents(usage)).toBe(901);
});

it('says what is no usage of the period by its category', async () => {
  const rows = await readRows('from=2026-10-01&to=2026-12-01');
  const others = rows.filter(({ x_Model }) => x_Model === '');
  expect(
    others.map((row) => [row.ChargeDescription, row.ChargeCategory, row.ChargeClass, row.BilledCost]),
  ).toEqual([
    ['GPT-4o input tokens: billed, and no usage here explains it', 'Adjustment', '', '0.00'],
    ['Support', 'Purchase', '', '5.00'],
    ['Minimum of the plan', 'Adjustment', '', '3.00'],
    ['Goodwill', 'Credit', '', '-1.00'],
    ['Late usage of October, 5,000 tokens', 'Usage', 'Correction', '0.50'],
    ['Discounts, credits and taxes of the invoice', 'Adjustment', '', '-1.50'],
    ['Credit notes for the invoice', 'Credit', '', '-0.25'],
  ]);
});

it('says how many invoices are left out because nobody has read their lines', async () => {
  const response = await bench.call('/v1/exports/focus?perspective=invoices&period=2026-11&format=parquet');
  expect(response.headers.get('tallystick-unread-invoices')).toBe('1');
  expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(1_000);
});
