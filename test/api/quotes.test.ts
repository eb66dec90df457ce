import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { azureOpenAiPriceBook } from '../../pricing/prices/azure-openai.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertItem, insertUsage } from './world.ts';

let bench: ApiBench;

type Figure = { amount: string | null; reason: string | null };
interface QuoteBody {
  quoteId: string;
  currency: string;
  rateBasis: string;
  usageBasis: Record<string, string | null>;
  priceBookVersion: string;
  lines: {
    model: string;
    tokenType: string;
    tokenCount: string;
    cost: Figure;
    price: Figure;
    notes: string[];
  }[];
  invoiceLines: { quantity: string; amount: string | null }[];
  totals: {
    tokenCount: string;
    cost: Figure;
    price: Figure;
    margin: Figure;
    marginPercent: Figure;
    invoiceAmount: Figure;
  };
}

const post = (body: unknown, scope: 'sales' | 'finance' = 'sales') =>
  bench.call('/v1/quotes', {
    method: 'POST',
    scope,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

async function quote(body: unknown): Promise<QuoteBody> {
  const response = await post(body);
  expect(response.status, await response.clone().text()).toBe(201);
  return (await response.json()) as QuoteBody;
}

const million = {
  model: 'gpt-4o',
  promptTokenCount: 2_000_000,
  cachedPromptTokenCount: '1000000',
  completionTokenCount: 1_000_000,
};

beforeAll(async () => {
  bench = await createApiBench();
  await insertCatalog(bench.ledger.database);
  await insertUsage(bench.ledger.database, [
    { hour: '2026-11-20T09:00:00Z', tokens: 1_000n },
    { hour: '2026-11-20T09:00:00Z', tokens: 101n, tokenType: 'completion' },
    { hour: '2026-10-30T09:00:00Z', tokens: 7n, model: 'mystery-9', quarantine: 'no_binding' },
    { hour: '2026-10-01T09:00:00Z', tokens: 9_000n },
    { hour: '2026-11-02T09:00:00Z', tokens: 1n },
    { hour: '2026-11-05T09:00:00Z', tokens: 1n },
  ]);
});
afterAll(() => bench.close());

describe('a quote', () => {
  it('answers cost, price, margin and the version it rests on', async () => {
    const body = await quote({ usage: [million] });
    expect(body.lines.map((line) => [line.tokenType, line.tokenCount, line.cost.amount])).toEqual([
      ['prompt', '1000000', '2.50'],
      ['prompt_cached', '1000000', '1.25'],
      ['completion', '1000000', '10.00'],
    ]);
    expect(body).toMatchObject({
      currency: 'usd',
      costCurrency: 'usd',
      rateBasis: 'usual',
      priceBookVersion: `${azureOpenAiPriceBook.version}+1`,
      pricesAsOf: azureOpenAiPriceBook.data.prices.find(({ model }) => model === 'gpt-4o')?.listedAt,
      totals: {
        tokenCount: '3000000',
        cost: { amount: '13.75', reason: null },
        price: { amount: '16.50', reason: null },
        margin: { amount: '2.75', reason: null },
        marginPercent: { amount: '16.67', reason: null },
        invoiceAmount: { amount: '16.50', reason: null },
      },
    });
  });

  it('is stored for good and read back unchanged', async () => {
    const response = await post({ usage: [million] });
    const body = (await response.json()) as QuoteBody;
    await bench.ledger.database.updateTable('subscription_items').set({ unit_amount_decimal: '9' }).execute();
    const stored = await bench.call(response.headers.get('location') ?? '', { scope: 'finance' });
    expect(await stored.json()).toEqual(body);
    for (const [tokenType, cents] of [
      ['prompt', '0.0003'],
      ['prompt_cached', '0.00015'],
      ['completion', '0.0012'],
    ]) {
      await bench.ledger.database
        .updateTable('subscription_items')
        .set({ unit_amount_decimal: cents ?? null })
        .where('subscription_item_id', 'like', `%\\_${tokenType}`)
        .execute();
    }
    expect((await bench.call('/v1/quotes/quote_AAAAAAAAAAAAAAAAAAAAAA')).status).toBe(404);
    expect((await bench.call('/v1/quotes/1%20or%201=1')).status).toBe(400);
  });

  it('copies the last 30 days of a customer, scaled and rounded once', async () => {
    const body = await quote({ likeCustomer: 'northwind', scale: 1.5, customerId: 'northwind' });
    expect(body.usageBasis).toEqual({
      kind: 'like_customer',
      likeCustomer: 'northwind',
      from: '2026-10-21T10:00:00.000Z',
      to: '2026-11-20T10:00:00.000Z',
      scale: '1.5',
      activeUsers: null,
      existing: null,
    });
    expect(body.lines.map((line) => [line.model, line.tokenType, line.tokenCount])).toEqual([
      ['gpt-4o', 'prompt', '1503'],
      ['gpt-4o', 'completion', '152'],
      // The halves left over go to the first: 1665 in all, as 1.5 times 1110.
      ['mystery-9', 'prompt', '10'],
    ]);
    expect(body.lines[2]).toMatchObject({
      cost: { amount: null, reason: 'unknown_model' },
      price: { amount: null, reason: 'no_sell_rate' },
    });
    expect(body.totals.cost).toEqual({ amount: null, reason: 'unknown_model' });
  });

  it('takes the sell rates of a customer in its currency', async () => {
    const body = await quote({ usage: [million], customerId: 'adatum' });
    expect(body).toMatchObject({ currency: 'eur', rateBasis: 'customer' });
    expect(body.totals.price.amount).toBe('16.50');
    expect(body.totals.margin).toEqual({ amount: null, reason: 'no_exchange_rate' });
    const refused = await post({ usage: [million], customerId: 'adatum', currency: 'usd' });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ errors: [{ field: 'currency' }] });
  });

  it('takes the usual rate: the commonest, and of equals the highest', async () => {
    const { database } = bench.ledger;
    await insertItem(database, {
      id: 'si_dearer',
      customer: 'northwind',
      currency: 'usd',
      meterId: 'mtr_prompt',
      cents: '0.0004',
      name: 'GPT-4o prompt',
    });
    const usage = [{ model: 'gpt-4o', promptTokenCount: 1_000_000, completionTokenCount: 0 }];
    expect((await quote({ usage })).totals.price.amount).toBe('4.00');
    await database
      .updateTable('subscription_items')
      .set({ active: false })
      .where('subscription_item_id', '=', 'si_dearer')
      .execute();
    expect((await quote({ usage })).totals.price.amount).toBe('3.00');
  });

  it('says so where nothing is sold', async () => {
    const body = await quote({
      usage: [{ model: 'o3', promptTokenCount: 1_000_000, completionTokenCount: 0 }],
    });
    expect(body.totals).toMatchObject({
      cost: { amount: '2.00' },
      price: { amount: null, reason: 'no_sell_rate' },
      margin: { amount: null, reason: 'price_unknown' },
      invoiceAmount: { amount: null, reason: 'no_sell_rate' },
    });
  });

  it('stays exact with counts beyond 2^53', async () => {
    const usage = [{ model: 'gpt-4o', promptTokenCount: '999999999999999', completionTokenCount: 0 }];
    const { lines } = await quote({ usage });
    expect(lines[0]?.cost.amount).toBe('2499999999.9999975');
    expect(lines[0]?.price.amount).toBe('2999999999.999997');
  });

  it('answers 422 to an unknown model and lists near names', async () => {
    const response = await post({
      usage: [
        { ...million, model: 'gpt4o' },
        { ...million, model: 'zzzzzzzz' },
      ],
    });
    expect(response.status).toBe(422);
    const problem = (await response.json()) as { code: string; errors: { message: string; fix: string }[] };
    expect(problem.code).toBe('UNKNOWN_MODEL');
    expect(problem.errors[0]?.fix).toContain('near names: gpt-4o');
    expect(problem.errors[1]?.fix).toContain('known models');
  });

  it('answers 404 to unknown customers', async () => {
    for (const body of [{ usage: [million], customerId: 'nobody' }, { likeCustomer: 'nobody' }]) {
      const response = await post(body);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ code: 'UNKNOWN_CUSTOMER' });
    }
  });

  it.each([
    [{}, 'usage'],
    [{ usage: [] }, 'usage'],
    [{ usage: [million], likeCustomer: 'northwind' }, 'usage'],
    [{ usage: [million], scale: 2 }, 'scale'],
    [{ likeCustomer: 'northwind', scale: 0 }, 'scale'],
    [{ likeCustomer: 'northwind', scale: -1 }, 'scale'],
    [{ likeCustomer: 'northwind', scale: '1e3' }, 'scale'],
    [{ usage: [{ ...million, promptTokenCount: -1 }] }, 'usage.0.promptTokenCount'],
    [{ usage: [{ ...million, promptTokenCount: 1.5 }] }, 'usage.0.promptTokenCount'],
    [{ usage: [{ ...million, promptTokenCount: '9'.repeat(40) }] }, 'usage.0.promptTokenCount'],
    [{ usage: [{ ...million, cachedPromptTokenCount: 3_000_000 }] }, 'usage.0.cachedPromptTokenCount'],
    [{ usage: [{ ...million, model: '' }] }, 'usage.0.model'],
    [{ usage: [{ ...million, tokens: 1 }] }, 'usage.0.tokens'],
    [{ usage: [{ ...million, feature: 'a\u0000b' }] }, 'usage.0.feature'],
    [{ usage: [{ ...million, feature: '\ud800' }] }, 'usage.0.feature'],
    [{ usage: [million], currency: 'dollars' }, 'currency'],
    [{ usage: Array.from({ length: 501 }, () => million) }, 'usage'],
  ])('refuses bad input %#, naming %s', async (body, field) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    const problem = (await response.json()) as { errors: { field: string }[] };
    expect(problem.errors.map((error) => error.field)).toContain(field);
  });

  it('says in words what a count must be, and that a field is not known', async () => {
    const response = await post({
      usage: [{ ...million, promptTokenCount: '-5', completionTokenCount: 1.5, tokens: 1 }],
    });
    expect(await response.json()).toMatchObject({
      errors: [
        { field: 'usage.0.promptTokenCount', message: expect.stringContaining('a whole number of tokens') },
        {
          field: 'usage.0.completionTokenCount',
          message: expect.stringContaining('a whole number of tokens'),
        },
        { field: 'usage.0.tokens', fix: expect.stringContaining('/docs') },
      ],
    });
  });

  it('refuses a body that is not JSON', async () => {
    for (const [type, body] of [
      ['application/json', '{"usage":'],
      ['text/plain', 'hello'],
    ] as const) {
      const response = await bench.call('/v1/quotes', {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: 'VALIDATION' });
    }
  });
});
