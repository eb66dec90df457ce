import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InvoicePreviewBody } from '../../src/previews/schemas.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage, stripePreview } from './world.ts';

let bench: ApiBench;
const DECEMBER = { start: new Date('2026-12-01T00:00:00Z'), end: new Date('2027-01-01T00:00:00Z') };

/** northwind's period begins in ten days; adatum came three days ago; in September there was one hour. */
beforeAll(async () => {
  bench = await createApiBench();
  const { database } = bench.ledger;
  await insertCatalog(database);
  await database
    .updateTable('subscription_items')
    .set({ current_period_start: DECEMBER.start, current_period_end: DECEMBER.end })
    .where('customer_id', '=', 'northwind')
    .execute();
  await insertUsage(database, [
    { hour: '2026-09-05T09:00:00Z', tokens: 7_000n },
    { hour: '2026-11-05T09:00:00Z', tokens: 9_000_000n },
    ...['18', '19', '20'].map((day) => ({
      hour: `2026-11-${day}T09:00:00Z`,
      customer: 'adatum',
      subject: 'user-9',
      tokens: 1_000_000n,
    })),
  ]);
  const upcoming = stripePreview('northwind', { prompt: 0n });
  const lines = upcoming.lines.map((line) => ({
    ...line,
    periodStart: DECEMBER.start,
    periodEnd: DECEMBER.end,
  }));
  bench.billing.previews.set('sub_northwind', {
    ...upcoming,
    lines,
    periodStart: DECEMBER.start,
    periodEnd: DECEMBER.end,
  });
  bench.billing.previews.set('sub_adatum', stripePreview('adatum', { prompt: 0n }));
});
afterAll(() => bench.close());

async function previewOf(customerId: string) {
  const response = await bench.call(`/v1/customers/${customerId}/invoice-preview`);
  expect(response.status, await response.clone().text()).toBe(200);
  const [subscription] = ((await response.json()) as InvoicePreviewBody).subscriptions;
  if (subscription === undefined) throw new Error('there is no preview');
  return subscription;
}

async function quote(body: object) {
  const response = await bench.call('/v1/quotes', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as {
    code?: string;
    errors?: { field: string }[];
    totals?: { invoiceAmount: { amount: string } };
  };
  return { status: response.status, ...answer };
}

const MILLION = [{ model: 'gpt-4o', promptTokenCount: 1_000_000, completionTokenCount: 0 }];

describe('a period that has not begun', () => {
  it('has a preview of nothing, a range by the days before it, and a quote that begins with its first token', async () => {
    const { total, lines, periodStart, projection } = await previewOf('northwind');
    expect([total, periodStart]).toEqual(['0.00', DECEMBER.start.toISOString()]);
    expect(new Set(lines.map(({ quantity }) => quantity))).toEqual(new Set(['0']));
    // The range of its end rests on the days before it.
    expect(projection).toMatchObject({ reason: null, total: { p10: '0.00' } });
    const merged = await quote({ customerId: 'northwind', mode: 'merge', usage: MILLION });
    expect(merged.totals?.invoiceAmount.amount).toBe('3.00');
  });

  it.each(['/v1/usage', '/v1/costs'])('has no rows in %s', async (path) => {
    const response = await bench.call(`${path}?period=2026-12`);
    expect(response.status, await response.clone().text()).toBe(200);
    expect(((await response.json()) as { rows: object[] }).rows).toEqual([]);
  });

  it('is no usage to quote from', async () => {
    const refused = await quote({ likeCustomer: { customerId: 'northwind', period: '2026-12' } });
    expect(refused).toMatchObject({ status: 400, errors: [{ field: 'likeCustomer.period' }] });
  });
});

describe('a customer of three days', () => {
  it('is previewed exactly, and neither projected nor made a month of', async () => {
    const { total, lines, projection } = await previewOf('adatum');
    expect(total).toBe('9.00');
    expect(projection).toMatchObject({ total: null, reason: 'too_little_history' });
    expect(lines.map(({ projected }) => projected)).toEqual(lines.map(() => null));
    expect(await quote({ likeCustomer: 'adatum' })).toMatchObject({ status: 422, code: 'NOT_ENOUGH_DATA' });
  });
});

describe('a month with one hour of data', () => {
  it('is counted, and no month to quote from', async () => {
    const response = await bench.call('/v1/usage?period=2026-09');
    expect(await response.json()).toMatchObject({ rows: [{ tokenCount: '7000' }] });
    expect(await quote({ likeCustomer: { customerId: 'northwind', period: '2026-09' } })).toMatchObject({
      status: 422,
      code: 'NOT_ENOUGH_DATA',
    });
  });
});

describe('a target margin that no price reaches', () => {
  it.each(['100', '100.0000', '150', '-5', 'much'])('is refused: %s', async (targetMarginPercent) => {
    expect(await quote({ usage: MILLION, targetMarginPercent })).toMatchObject({
      status: 400,
      errors: [{ field: 'targetMarginPercent' }],
    });
  });

  it('may be as near to all of the price as decimals go', async () => {
    const near = await quote({ usage: MILLION, targetMarginPercent: '99.9999' });
    expect(near.status).toBe(201);
  });
});
