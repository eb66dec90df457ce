import { afterEach, describe, expect, it } from 'vitest';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import type { SeedTieredPrice } from '../../sandbox/stripe/seed.ts';
import { storeCatalog } from '../../src/catalog/catalog.ts';
import { readCustomerSellRates, toSellRate, usualSellRates } from '../../src/plans/sell-rates.ts';
import type { BillingCatalog } from '../../src/stripe/port.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { openAccount, START_MS, type TestAccount } from './account.ts';

const SEEDED: SeedTieredPrice = {
  tenantKey: 'northwind',
  model: 'gpt-4o',
  tokenType: 'prompt',
  tiersMode: 'graduated',
  tiers: [
    { upTo: 500_000, unitAmountDecimal: null, flatAmountDecimal: '1900' },
    { upTo: null, unitAmountDecimal: '0.000299999999', flatAmountDecimal: null },
  ],
};
const PRICE: RatePrice = {
  kind: 'tiered',
  mode: 'graduated',
  tiers: [
    { upTo: 500_000n, unitAmountDecimal: '0', flatAmountDecimal: '1900' },
    { upTo: null, unitAmountDecimal: '0.000299999999', flatAmountDecimal: null },
  ],
};

let account: TestAccount | undefined;
let ledger: TestLedger | undefined;
afterEach(async () => {
  await account?.close();
  await ledger?.close();
});

describe('a tiered price of a subscription item', () => {
  it('comes with its tiers, which Stripe gives only where they are asked for', async () => {
    account = await openAccount({ tieredPrices: [SEEDED] });
    const { subscriptionItems } = await account.billing.readCatalog({ invoicesSince: new Date(START_MS) });
    const tiered = subscriptionItems.filter((item) => item.price?.kind === 'tiered');
    expect(tiered.map(({ price }) => price)).toEqual([PRICE]);
    expect(await account.sdk.prices.retrieve(tiered[0]?.priceId ?? '')).not.toHaveProperty('tiers');
    await expect(
      account.sdk.subscriptions.list({ expand: ['data.items.data.price.tiers'] }),
    ).rejects.toMatchObject({ statusCode: 400 });
  });

  it('survives the ledger, and becomes a price per unit again when Stripe says so', async () => {
    account = await openAccount({ tieredPrices: [SEEDED] });
    ledger = await createTestLedger();
    const { database } = ledger;
    const now = new Date(START_MS);
    const store = (catalog: BillingCatalog) =>
      storeCatalog(
        database,
        {
          ...catalog,
          customers: catalog.customers.map((customer) => ({
            customerId: customer.metadata.tenant_id ?? '',
            stripeCustomerId: customer.stripeCustomerId,
            tenantKey: customer.metadata.tenant_id ?? null,
            name: customer.name,
            currency: customer.currency,
            deleted: false,
          })),
        },
        { now, actor: 'test' },
      );
    const read = await account.billing.readCatalog({ invoicesSince: now });
    await store(read);
    const ofPrompts = <Rate extends { model: string; tokenType: string }>(rates: readonly Rate[]) =>
      rates.filter((rate) => rate.model === 'gpt-4o' && rate.tokenType === 'prompt');
    expect(ofPrompts(await readCustomerSellRates(database, 'northwind'))).toMatchObject([{ price: PRICE }]);
    // Two of three customers pay by the unit.
    const usual = (await usualSellRates('usd').execute(database)).rows.map(toSellRate);
    expect(ofPrompts(usual)).toMatchObject([{ price: { kind: 'per_unit' } }]);
    const price: RatePrice = { kind: 'per_unit', unitAmountDecimal: '0.0002' };
    await store({
      ...read,
      subscriptionItems: read.subscriptionItems.map((item) =>
        item.price?.kind === 'tiered' ? { ...item, price } : item,
      ),
    });
    expect(ofPrompts(await readCustomerSellRates(database, 'northwind'))).toMatchObject([{ price }]);
  });
});
