import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccrualsBody } from '../../src/accruals/schemas.ts';
import type { InvoicePreviewBody } from '../../src/previews/schemas.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertInvoice, storeLines } from './statement-world.ts';
import { insertCatalog, insertItem, insertUsage, type UsageSeed } from './world.ts';

let bench: ApiBench;

const delivered = { meterId: 'mtr_prompt', status: 'delivered' } as const;
const USAGE: readonly UsageSeed[] = [
  // Until the 21st of November, of which 100,000 tokens were used in its last hour.
  { hour: '2026-11-02T09:00:00Z', tokens: 600_000n, push: delivered },
  { hour: '2026-11-20T23:00:00Z', tokens: 100_000n, push: delivered },
  { hour: '2026-11-21T08:00:00Z', tokens: 50_000n, push: { meterId: 'mtr_prompt', status: 'pending' } },
  { hour: '2026-11-21T09:00:00Z', tokens: 250_001n, customer: null },
  // Waits; and of nobody.
  { hour: '2026-11-20T09:00:00Z', tokens: 77n, model: 'mystery-9', quarantine: 'no_binding' },
  { hour: '2026-11-20T09:00:00Z', tokens: 5n, push: { meterId: 'mtr_prompt', status: 'refused' } },
  { hour: '2026-11-20T10:00:00Z', tokens: 9n, customer: null, subject: 'stray', quarantine: 'no_customer' },
  {
    hour: '2026-11-03T10:00:00Z',
    tokens: 1_000_000n,
    customer: 'adatum',
    subject: 'user-3',
    push: delivered,
  },
];

/** A month of use, of tiers of which the first costs 5.00 beside, and a fee, which is no usage. */
async function openWorld(): Promise<ApiBench> {
  bench = await createApiBench();
  const { database } = bench.ledger;
  await insertCatalog(database);
  await database
    .updateTable('subscription_items')
    .set({
      unit_amount_decimal: null,
      tiers_mode: 'graduated',
      price_tiers: JSON.stringify([
        { upTo: '650000', unitAmountDecimal: '0.0003', flatAmountDecimal: '500' },
        { upTo: null, unitAmountDecimal: '0.0001', flatAmountDecimal: null },
      ]),
    })
    .where('subscription_item_id', '=', 'si_northwind_prompt')
    .execute();
  await insertItem(database, {
    id: 'si_fee',
    customer: 'northwind',
    currency: 'usd',
    meterId: null,
    cents: '4900',
    name: 'Fee',
  });
  await insertUsage(database, USAGE);
  await database
    .insertInto('settlements')
    .values([{ window_start: new Date('2026-11-21T09:00:00Z'), status: 'settled' }])
    .execute();
  return bench;
}

async function report(query = ''): Promise<AccrualsBody> {
  const response = await bench.call(`/v1/accruals?${query}`, { scope: 'finance' });
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as AccrualsBody;
}
const of = ({ customers }: AccrualsBody, customerId: string | null) => {
  const found = customers.find((customer) => customer.customerId === customerId);
  if (found === undefined) throw new Error(`${customerId} is not in the report`);
  return found;
};

describe('accruals while nobody uses anything', () => {
  beforeAll(async () => {
    bench = await createApiBench();
    const { database } = bench.ledger;
    await insertCatalog(database);
    await insertUsage(database, [
      { hour: '2026-11-19T09:00:00Z', tokens: 600_000n, push: delivered },
      {
        hour: '2026-11-19T09:00:00Z',
        tokens: 7n,
        customer: 'adatum',
        subject: 'user-3',
        quarantine: 'no_binding',
      },
    ]);
    await database
      .insertInto('settlements')
      .values([{ window_start: new Date('2026-11-19T09:00:00Z'), status: 'settled' }])
      .execute();
    await database
      .insertInto('watermarks')
      .values({
        source: 'metrics',
        position: new Date('2026-11-21T09:20:00Z'),
        updated_at: bench.clock.now(),
      })
      .execute();
  });
  afterAll(() => bench.close());

  it('are as of the last hour that was collected, or of the first after it that is not settled', async () => {
    expect(await report()).toMatchObject({ at: '2026-11-21T09:00:00.000Z', openHourCount: '0' });
    const { database } = bench.ledger;
    const opened = new Date('2026-11-20T11:00:00Z');
    await database
      .insertInto('settlements')
      .values([{ window_start: opened, status: 'open' }])
      .execute();
    expect((await report()).at).toBe('2026-11-20T11:00:00.000Z');
    await database.deleteFrom('settlements').where('window_start', '=', opened).execute();
  });

  it('do not add up to nothing where nothing has an amount', async () => {
    expect(of(await report(), 'adatum').totals).toEqual([
      expect.objectContaining({ currency: 'eur', earnedTokenCount: '7', earned: null, accrued: '0.00' }),
    ]);
  });
});

describe('accruals of a running month', () => {
  beforeAll(async () => {
    bench = await openWorld();
  });
  afterAll(() => bench.close());

  it('are what the preview says, as of the newest settled hour, with the flat amount of the first tier', async () => {
    const answer = await report();
    expect(answer).toMatchObject({
      from: '2026-11-01T00:00:00.000Z',
      at: '2026-11-21T10:00:00.000Z',
      openHourCount: '0',
      nextCursor: null,
    });
    const { totals } = of(answer, 'northwind');
    // 650,000 at 0.0003 cents, 350,001 at 0.0001, and 5.00.
    expect(totals).toEqual([
      expect.objectContaining({
        currency: 'usd',
        earnedTokenCount: '1000083',
        earned: '7.30',
        accruedTokenCount: '1000001',
        accrued: '7.30',
        invoiced: '0.00',
        unvaluedTokenCount: '82',
        unvaluedPercent: '0.01',
        quarantinedTokenCount: '82',
      }),
    ]);
    const response = await bench.call('/v1/customers/northwind/invoice-preview', { scope: 'sales' });
    const preview = (await response.json()) as InvoicePreviewBody;
    expect(preview.subscriptions[0]?.total).toBe('7.30');
  });

  it('tell delivered, due and waiting apart, each with its tokens', async () => {
    const { rows } = of(await report(), 'northwind');
    expect(rows.map((row) => [row.place, row.reason, row.tokenCount, row.amount, row.unvalued])).toEqual([
      ['awaiting_invoice', null, '700000', '7.00', null],
      ['due', null, '300001', '0.30', null],
      ['quarantined', 'no_binding', '77', null, 'quarantined'],
      ['quarantined', 'refused_by_stripe', '5', null, 'quarantined'],
    ]);
  });

  it('of a window earn what the tiers make of it: two of them add up to the whole', async () => {
    const early = of(await report('at=2026-11-20T23:00:00Z'), 'northwind').totals[0];
    const late = of(await report('from=2026-11-20T23:00:00Z&at=2026-11-21T10:00:00Z'), 'northwind').totals[0];
    expect(early).toMatchObject({ earned: '6.80', accrued: '6.80', earnedTokenCount: '600082' });
    expect(late).toMatchObject({ earned: '0.50', accrued: '7.30', earnedTokenCount: '400001' });
  });

  it('never add currencies, and count what is of nobody', async () => {
    const answer = await report();
    expect(of(answer, 'adatum').totals).toEqual([
      expect.objectContaining({ currency: 'eur', earned: '3.00', accrued: '3.00' }),
    ]);
    expect(of(answer, null).totals).toEqual([
      expect.objectContaining({
        currency: null,
        earnedTokenCount: '9',
        earned: null,
        unvaluedPercent: '100.00',
      }),
    ]);
    expect((await report('customerId=adatum')).customers.map(({ customerId }) => customerId)).toEqual([
      'adatum',
    ]);
  });

  it.each([
    ['at=2026-11-21T10:30:00Z', 'whole hour'],
    ['at=2026-12-01', 'lies ahead'],
    ['at=2026-11-21&from=2026-11-21', 'must be before'],
    ['at=2026-11-21&from=2024-11-21', '400 days'],
    ['at=yesterday', 'ISO instant'],
    ['cursor=x', 'cursor'],
  ])('refuse %s', async (query, words) => {
    const response = await bench.call(`/v1/accruals?${query}`, { scope: 'finance' });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(words);
  });

  it('are for finance', async () => {
    expect((await bench.call('/v1/accruals', { scope: 'sales' })).status).toBe(403);
  });

  it('are pages of customers, and a whole CSV', async () => {
    const first = await report('limit=1');
    expect(first.customers).toHaveLength(1);
    const second = await report(`limit=2&cursor=${first.nextCursor}`);
    expect(second.nextCursor).toBeNull();
    expect([...first.customers, ...second.customers]).toEqual((await report()).customers);
    const response = await bench.call('/v1/accruals?separator=semicolon', {
      scope: 'finance',
      headers: { Accept: 'text/csv' },
    });
    const lines = (await response.text()).trim().split('\r\n');
    const rows = (await report()).customers.flatMap((customer) => customer.rows);
    expect(lines).toHaveLength(1 + rows.length);
    expect(lines.map((line) => line.split(';')[0])).toEqual([
      'customerId',
      ...rows.map((row) => row.customerId ?? ''),
    ]);
  });
});

describe('accruals of a month that was invoiced', () => {
  beforeAll(async () => {
    bench = await openWorld();
    const { database } = bench.ledger;
    bench.clock.instant = new Date('2026-12-05T10:30:00Z');
    await insertInvoice(database, { id: 'in_nov' });
    await storeLines(database, {
      id: 'in_nov',
      lines: [
        { lineId: 'il_1', subscriptionItemId: 'si_northwind_prompt', quantity: 700_000n, amountMinor: 200n },
        { lineId: 'il_2', subscriptionItemId: 'si_northwind_prompt', amountMinor: 500n },
        { lineId: 'il_fee', subscriptionItemId: 'si_fee', quantity: 1n, amountMinor: 4_900n },
      ],
    });
    await sql`
      update meter_pushes set fate = 'invoiced', invoice_id = 'in_nov' where customer_id = 'northwind' and status = 'delivered'`.execute(
      database,
    );
    await sql`update invoices set placed_at = '2026-12-01T02:18:00Z' where invoice_id = 'in_nov'`.execute(
      database,
    );
  });
  afterAll(() => bench.close());

  it('are the lines of the invoice once it is final, and the fee apart', async () => {
    const { rows, totals } = of(await report('at=2026-12-05T10:00:00Z&from=2026-11-01'), 'northwind');
    expect(totals[0]).toMatchObject({ invoiced: '7.00', fixed: '49.00' });
    expect(rows.filter(({ place }) => place === 'invoiced')).toEqual([
      expect.objectContaining({ kind: 'fixed', amount: '49.00', tokenCount: '0', earnedAmount: null }),
      expect.objectContaining({
        kind: 'usage',
        invoiceId: 'in_nov',
        invoiceNumber: 'NW-0007',
        finalizedAt: '2026-12-01T02:18:00.000Z',
        tokenCount: '700000',
        amount: '7.00',
        earnedAmount: '7.00',
      }),
    ]);
  });

  it('of the end of the month are still to be invoiced, as it was then', async () => {
    const { rows, totals } = of(await report('at=2026-12-01'), 'northwind');
    expect(totals[0]).toMatchObject({ invoiced: '0.00', fixed: '0.00' });
    expect(rows[0]).toMatchObject({
      place: 'awaiting_invoice',
      invoiceId: 'in_nov',
      amount: '7.00',
      accrued: true,
    });
  });

  it('of December start with what November left: nothing of it is earned again', async () => {
    const { rows } = of(await report('at=2026-12-05T10:00:00Z'), 'northwind');
    expect(rows.find(({ invoiceId, kind }) => invoiceId === 'in_nov' && kind === 'usage')).toMatchObject({
      amount: '7.00',
      earnedTokenCount: '0',
      earnedAmount: '0.00',
    });
  });
});
