import { afterEach, describe, expect, it } from 'vitest';
import type { StripeStandInOptions } from '../../sandbox/stripe/http/options.ts';
import { getCertificate } from '../../src/closing/certificates.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { call, callersOf, closeOf, openClosing, runUntil } from '../setup/closing.ts';
import { balance, type Pipeline } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** 0.0003 cents for a token in dollars. */
const PRICES = { eur: '0.000276', jpy: '0.00045', kwd: '0.000921', ugx: '1.11' } as const;
type Currency = keyof typeof PRICES;

/** The first customer is billed in another currency than its prices', by their `currency_options`. */
async function open(currency: Currency, stripe: StripeStandInOptions = {}) {
  pipeline = await openClosing({ stripe: { ...stripe, optionCurrencies: { northwind: currency } } });
  const caller = callersOf(pipeline).find(({ customerId }) => customerId === 'northwind');
  call(pipeline, caller, { hour: 3, prompt: 1_234_567, completion: 0 });
  return caller;
}

const itemsOf = (where: { model: string; tokenType: string }) =>
  pipeline.deps.database
    .selectFrom('subscription_items')
    .select(['currency', 'unit_amount_decimal', 'price_problem'])
    .where('customer_id', '=', 'northwind')
    .where('price_model', '=', where.model)
    .where('price_token_type', '=', where.tokenType)
    .execute();
const PROMPT = { model: 'gpt-4o', tokenType: 'prompt' };

describe('a subscription in another currency than its price', () => {
  it.each([
    ...(Object.keys(PRICES) as Currency[]).map((currency) => [currency, false] as const),
    ['kwd', true] as const,
  ])(
    'is rated and closed by its own amounts: %s, lines in steps: %s',
    async (currency, roundsLinesToSteps) => {
      const caller = await open(currency, { roundsLinesToSteps });
      await runUntil(pipeline, 3, 60);
      expect(await itemsOf(PROMPT)).toEqual([
        { currency, unit_amount_decimal: PRICES[currency], price_problem: null },
      ]);
      const { close } = await closeOf(pipeline, caller?.customerId);
      expect(close.state).toBe('finalized');
      const certificate = await getCertificate(pipeline.deps.database, close.invoiceId);
      expect(certificate.driftAmountMinor).toBe(0n);
      expect(JSON.parse(certificate.content)).toMatchObject({ currency, differences: [] });
    },
  );

  it.each([
    ['eur', 552n, '0.000276'],
    ['jpy', 900n, '0.00045'],
    // 2,000,001 tokens are 1842.000921 thousandths, of which only tens can be charged.
    ['kwd', 1_840n, null],
    // 22,200.01 shillings, of which only whole ones can be charged.
    ['ugx', 2_220_000n, null],
  ] as const)('is billed its late usage by them: %s', async (currency, amountMinor, unitAmountDecimal) => {
    const caller = await open(currency);
    await runUntil(pipeline, 3, 60);
    const tokens = currency === 'kwd' || currency === 'ugx' ? 2_000_001 : 2_000_000;
    call(pipeline, caller, { hour: 7, ingestedAtHour: 40, prompt: tokens, completion: 0 });
    await runUntil(pipeline, 7, 60);
    pipeline.advanceTo(Date.UTC(2026, 10, 2, 11));
    await pipeline.run();
    for (let hour = 0; hour < 5; hour += 1) await pipeline.tick(1);
    const { close } = await closeOf(pipeline, caller?.customerId);
    const invoice = await pipeline.deps.invoicing.readInvoice(close.invoiceId);
    const [item] = invoice?.lines.filter((line) => line.invoiceItemId !== null) ?? [];
    expect(invoice?.currency).toBe(currency);
    expect(item).toMatchObject({ amountMinor });
    if (unitAmountDecimal !== null) expect(item).toMatchObject({ unitAmountDecimal });
    expect(close.state).toBe('finalized');
  });
});

describe('a price without an amount in the currency', () => {
  it('holds its usage with the reason, says so, and lets it go once there is one', async () => {
    await open('eur');
    pipeline.stripe.withholdCurrencyOptions(true);
    const { 'sync-catalog': synced } = await pipeline.run('sync-catalog');
    expect((synced as unknown as { problems: string[] }).problems).toContainEqual(
      expect.stringContaining('no_price_in_currency'),
    );
    expect(await itemsOf(PROMPT)).toEqual([
      { currency: 'eur', unit_amount_decimal: null, price_problem: 'no_price_in_currency' },
    ]);
    pipeline.advance(6);
    await pipeline.run();
    pipeline.advance(1);
    await pipeline.run();
    expect((await balance(pipeline)).byReason).toEqual({ no_price_in_currency: 1_234_567n });
    pipeline.stripe.withholdCurrencyOptions(false);
    await pipeline.run('sync-catalog');
    await pipeline.run('push-usage');
    expect(await balance(pipeline)).toMatchObject({ quarantined: 0n, due: 0n, drift: 0n });
  });

  it('is another matter than one that gets a further currency within the period', async () => {
    const caller = await open('eur');
    pipeline.advance(4);
    await pipeline.run();
    const { account, deps } = pipeline;
    for await (const price of account.prices.list({ limit: 100 })) {
      if (price.currency !== 'usd') continue;
      await account.prices.update(price.id, {
        currency_options: { gbp: { unit_amount_decimal: '0.5' as never } },
      });
    }
    await pipeline.run('fetch-missed-events', 'refresh-catalog');
    expect(await itemsOf(PROMPT)).toEqual([
      { currency: 'eur', unit_amount_decimal: PRICES.eur, price_problem: null },
    ]);
    const others = await deps.database
      .selectFrom('subscription_items')
      .select('price_problem')
      .where('customer_id', '<>', 'northwind')
      .execute();
    expect(others.every(({ price_problem }) => price_problem === null)).toBe(true);
    pipeline.advanceTo(pipeline.clock.nowMs() + HOUR_MS);
    await runUntil(pipeline, 3, 60);
    expect((await closeOf(pipeline, caller?.customerId)).close.state).toBe('finalized');
  });
});
