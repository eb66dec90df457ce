import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { conversionAt } from '../../pricing/exchange/rates.ts';
import { azureOpenAiPriceBook as priceBook } from '../../pricing/prices/azure-openai.ts';
import { costRateOf, toPicoMinor } from '../../pricing/quotes/cost-rate.ts';
import { createQuote } from '../../pricing/quotes/quote.ts';
import { priceForMargin } from '../../pricing/quotes/target.ts';
import { parseRatio } from '../../pricing/quotes/usage.ts';
import { emptyBuckets } from '../../pricing/usage/tokens.ts';
import { importExchangeRates } from '../../src/costs/exchange/rates.ts';
import type { QuoteBody } from '../../src/quotes/schemas.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage, STEADY_USE } from './world.ts';

let bench: ApiBench;
beforeAll(async () => {
  bench = await createApiBench();
  await insertCatalog(bench.ledger.database);
  await insertUsage(bench.ledger.database, STEADY_USE);
});
afterAll(() => bench.close());
beforeEach(async () => {
  await bench.ledger.database.deleteFrom('exchange_rates').execute();
});

const million = { model: 'gpt-4o', promptTokenCount: 1_000_000, completionTokenCount: 0 };

async function post(path: string, body: object): Promise<Response> {
  return await bench.call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}
async function quote(body: object): Promise<QuoteBody> {
  const response = await post('/v1/quotes', body);
  expect(response.status, await response.clone().text()).toBe(201);
  return (await response.json()) as QuoteBody;
}
const takeRates = (...lines: string[]) =>
  importExchangeRates(bench.ledger.database, {
    text: `Date,USD\n${lines.join('\n')}\n`,
    supersede: false,
    allowAbsurd: false,
    dryRun: false,
    actor: 'test',
    now: bench.clock.now(),
  });

describe('a quote in another currency than costs', () => {
  it('has a margin by the rate of the day, and names it', async () => {
    await takeRates('2026-11-13,1.10', '2026-11-20,1.25');
    const body = await quote({ usage: [million], customerId: 'adatum' });
    expect(body).toMatchObject({
      currency: 'eur',
      costCurrency: 'usd',
      exchange: {
        from: 'usd',
        to: 'eur',
        rate: '0.8',
        day: '2026-11-20',
        published: [{ base: 'eur', currency: 'usd', rate: '1.25' }],
      },
    });
    // 2.50 dollars are 2.00 euros.
    expect(body.totals).toMatchObject({
      cost: { amount: '2.50' },
      price: { amount: '3.00' },
      margin: { amount: '1.00', reason: null },
      marginPercent: { amount: '33.33' },
    });
    expect(body.totals).not.toHaveProperty('knownMargin');
    expect(body.assumptions.join(' ')).toContain('the rate of 2026-11-20');
  });

  it('takes the rate of its date, and never one of later', async () => {
    await takeRates('2026-11-13,1.10', '2026-11-20,1.25');
    const body = await quote({ usage: [million], customerId: 'adatum', at: '2026-11-15T00:00:00Z' });
    expect(body.exchange?.day).toBe('2026-11-13');
  });

  it('offers a target margin in its own currency, which the invoice reaches', async () => {
    await takeRates('2026-11-20,1.25');
    const { offer, targetMargin } = await quote({
      usage: [million],
      customerId: 'adatum',
      targetMarginPercent: 50,
    });
    expect(targetMargin).toMatchObject({ price: { amount: '4.00' }, invoiceAmount: { amount: '4.00' } });
    expect(offer).toMatchObject({ invoiceAmount: { amount: '4.00' }, marginPercent: { amount: '50.00' } });
    expect(offer?.planFile).toContain('currency: eur');
    expect(offer?.planFile).toContain('perMillion: 4.00');
  });

  it.each([
    ['no_exchange_rate', []],
    ['exchange_rate_too_old', ['2026-10-01,1.25']],
    ['no_exchange_rate', ['2026-11-21,1.25'], '2026-11-20T00:00:00Z'],
  ])('says %s where rates are %j', async (reason, lines, at?: string) => {
    if (lines.length > 0) await takeRates(...lines);
    const body = await quote({
      usage: [million],
      customerId: 'adatum',
      targetMarginPercent: 35,
      ...(at ? { at } : {}),
    });
    expect(body.exchange).toBeNull();
    expect(body.totals).toMatchObject({
      price: { amount: '3.00' },
      margin: { amount: null, reason },
      knownMargin: { amount: null, reason },
      unknownTokenPercent: '100.00',
    });
    expect(body.targetMargin?.price).toEqual({ amount: null, reason });
    expect(body.offer).toBeNull();
  });

  it('refuses a rate that is absurd before any quote can use it', async () => {
    await takeRates('2026-11-19,1.25');
    await expect(takeRates('2026-11-20,125')).rejects.toThrow(/wrong|absurd|line/i);
    expect((await quote({ usage: [million], customerId: 'adatum' })).exchange?.day).toBe('2026-11-19');
  });

  it('is computed again to the letter, whatever rates came since, and says that another holds now', async () => {
    await takeRates('2026-11-19,1.25');
    const { quoteId } = await quote({ usage: [million], customerId: 'adatum', targetMarginPercent: 35 });
    await takeRates('2026-11-20,1.20');
    const response = await post(`/v1/quotes/${quoteId}/recompute`, {});
    expect(await response.json()).toMatchObject({
      reproduced: { identical: true },
      changed: { exchange: true, usage: false },
      now: { exchange: { day: '2026-11-20' } },
    });
  });

  it('of before there were rates has no margin still, and no word of them', () => {
    const before = createQuote({
      usage: [{ model: 'gpt-4o', feature: 'chat', tokens: { ...emptyBuckets(), prompt: 1_000_000n } }],
      sellRates: [],
      currency: 'eur',
      priceBook,
      at: new Date('2026-11-20T00:00:00Z'),
    });
    expect(before.totals.margin.reason).toBe('price_unknown');
    expect(costRateOf({ currency: 'eur', costCurrency: 'usd' }, undefined)).toEqual({
      reason: 'currency_differs_from_cost',
    });
  });
});

describe('a quote of which something is unknown', () => {
  it('shows the margin of the rest, and how much is not in it', async () => {
    const { database } = bench.ledger;
    await insertUsage(database, [
      { hour: '2026-11-19T09:00:00Z', subject: 'user-3', customer: 'adatum', tokens: 999_900n },
      { hour: '2026-11-12T09:00:00Z', subject: 'user-3', customer: 'adatum', tokens: 1n },
      { hour: '2026-11-05T09:00:00Z', subject: 'user-3', customer: 'adatum', tokens: 1n },
      { hour: '2026-10-28T09:00:00Z', subject: 'user-3', customer: 'adatum', tokens: 1n },
      { hour: '2026-10-20T09:00:00Z', subject: 'user-3', customer: 'adatum', tokens: 1n },
      {
        hour: '2026-11-19T09:00:00Z',
        subject: 'user-3',
        customer: 'adatum',
        tokens: 97n,
        model: 'mystery-9',
      },
    ]);
    await takeRates('2026-11-20,1.25');
    const body = await quote({ likeCustomer: 'adatum', customerId: 'adatum' });
    expect(body.totals.margin).toEqual({ amount: null, reason: 'cost_unknown' });
    expect(body.totals.unknownTokenPercent).toBe('0.01');
    expect(Number(body.totals.knownMargin?.amount)).toBeCloseTo(1, 3);
  });
});

describe('a target margin across currencies', () => {
  it('is reached by its price, and by no smaller one', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 10n ** 9n }),
        fc.integer({ min: 0, max: 999_999 }),
        fc.bigInt({ min: 10n ** 6n, max: 10n ** 14n }),
        fc.constantFrom('eur', 'jpy', 'kwd'),
        (tokenCount, share, rate, currency) => {
          const rates = [
            {
              day: '2026-11-20',
              base: 'usd',
              currency,
              rate: `${rate / 10n ** 9n}.${String(rate % 10n ** 9n).padStart(9, '0')}`,
              source: 'test',
            },
          ];
          const conversion = conversionAt(rates, { from: 'usd', to: currency, day: '2026-11-20' });
          const costRate = costRateOf({ currency, costCurrency: 'usd' }, conversion);
          if ('reason' in costRate) throw new Error(costRate.reason);
          const quoted = createQuote({
            usage: [{ model: 'gpt-4o', feature: 'chat', tokens: { ...emptyBuckets(), prompt: tokenCount } }],
            sellRates: [],
            currency,
            conversion,
            priceBook,
            at: new Date('2026-11-20T00:00:00Z'),
          });
          const wanted = parseRatio(`${share / 10_000}`, 6, 100n);
          const price = priceForMargin(quoted, wanted, costRate).price.value ?? 0n;
          const cost = (quoted.totals.cost.value ?? 0n) * costRate.numerator;
          const reaches = (amount: bigint) =>
            (amount * costRate.denominator - cost) * wanted.denominator >=
            amount * costRate.denominator * wanted.numerator;
          expect(reaches(price)).toBe(true);
          expect(price > 0n && reaches(price - 1n)).toBe(false);
          expect(toPicoMinor(-5n, costRate)).toBe(-toPicoMinor(5n, costRate));
        },
      ),
    );
  });
});
