import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seedPlans } from '../../src/plans/seed.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage } from './world.ts';

let bench: ApiBench;

interface Side {
  invoiceAmount: { amount: string | null };
}
interface QuoteBody {
  quoteId: string;
  totals: Side;
  before: Side;
  after: Side;
  minimumTopUp: { before: string; after: string; added: string };
  invoiceLines: { rateId: string; quantity: string; amount: string }[];
  assumptions: string[];
}

async function post<Body>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Body> {
  const response = await bench.call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  expect(response.status, await response.clone().text()).toBeLessThan(300);
  return (await response.json()) as Body;
}

async function previewTotal(): Promise<string | null> {
  const response = await bench.call('/v1/customers/northwind/invoice-preview');
  const body = (await response.json()) as { subscriptions: { total: string | null }[] };
  return body.subscriptions[0]?.total ?? null;
}

const promptOf = (promptTokenCount: number) => ({
  usage: [{ model: 'gpt-4o', promptTokenCount, completionTokenCount: 0 }],
});

const PLAN = `
plan: two-models
name: Two models
currency: usd
versions:
  - effectiveFrom: '2026-10-01T00:00:00Z'
    rates:
      - { model: gpt-4o, tokenType: prompt, perMillion: '3.00' }
      - model: gpt-4o-mini
        tokenType: prompt
        graduated:
          - { upTo: 1000000, perMillion: '0', flat: '150.00' }
          - { perMillion: '1.00' }
`;

beforeAll(async () => {
  bench = await createApiBench();
  const { database } = bench.ledger;
  await insertCatalog(database);
  await seedPlans(database, new Date('2026-10-01T00:00:00Z'));
  await database
    .updateTable('subscription_items')
    .set({ price_plan: 'scale' })
    .where('customer_id', '=', 'northwind')
    .execute();
  await database
    .updateTable('subscription_items')
    .set({
      unit_amount_decimal: null,
      tiers_mode: 'graduated',
      price_tiers: JSON.stringify([{ upTo: null, unitAmountDecimal: '1', flatAmountDecimal: '700' }]),
    })
    .where('subscription_item_id', '=', 'si_northwind_completion')
    .execute();
  await insertUsage(database, [
    {
      hour: '2026-11-02T09:00:00Z',
      tokens: 4_000_000n,
      push: { meterId: 'mtr_prompt', status: 'delivered' },
    },
  ]);
});
afterAll(() => bench.close());

describe('a quote', () => {
  it('says that usage which the minimum covers changes nothing: 0.00, and not 10.00', async () => {
    const quote = await post<QuoteBody>('/v1/quotes', {
      ...promptOf(3_333_333),
      mode: 'merge',
      customerId: 'northwind',
    });
    expect(quote.totals.invoiceAmount.amount).toBe('0.00');
    expect(quote.minimumTopUp).toEqual({ before: '481.00', after: '471.00', added: '-10.00' });
    expect(quote.before.invoiceAmount.amount).toBe(await previewTotal());
    expect(quote.assumptions.join(' ')).toContain('minimum');
  });

  it('adds what goes beyond the minimum', async () => {
    const quote = await post<QuoteBody>('/v1/quotes', {
      ...promptOf(200_000_000),
      mode: 'merge',
      customerId: 'northwind',
    });
    expect([quote.totals.invoiceAmount.amount, quote.after.invoiceAmount.amount]).toEqual([
      '119.00',
      '619.00',
    ]);
  });

  it('for a new customer has the flat amounts of rates that its usage does not touch: 156.00, and not 6.00', async () => {
    await post('/v1/plans', PLAN, { 'content-type': 'application/yaml' });
    const quote = await post<QuoteBody>('/v1/quotes', { ...promptOf(2_000_000), planId: 'two-models' });
    expect(quote.totals.invoiceAmount.amount).toBe('156.00');
    expect(quote.invoiceLines).toMatchObject([
      { rateId: 'two-models/gpt-4o/prompt/*', quantity: '2000000', amount: '6.00' },
      { rateId: 'two-models/gpt-4o-mini/prompt/*', quantity: '0', amount: '150.00' },
    ]);
    const again = await post<{ reproduced: { identical: boolean } }>(
      `/v1/quotes/${quote.quoteId}/recompute`,
      {},
    );
    expect(again.reproduced.identical).toBe(true);
  });

  it('of a customer is computed again to the letter, with its minimum and what it pays without usage', async () => {
    const quote = await post<QuoteBody>('/v1/quotes', {
      ...promptOf(1_000_000),
      mode: 'new',
      customerId: 'northwind',
    });
    expect(quote.totals.invoiceAmount.amount).toBe('500.00');
    expect(quote.minimumTopUp.after).toBe('490.00');
    const again = await post<{ reproduced: { identical: boolean } }>(
      `/v1/quotes/${quote.quoteId}/recompute`,
      {},
    );
    expect(again.reproduced.identical).toBe(true);
  });
});
