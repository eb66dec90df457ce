import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openAccount, type TestAccount } from './account.ts';

describe('the catalog', () => {
  let account: TestAccount;
  beforeAll(async () => {
    account = await openAccount({ customerCount: 120, legacyItemTenantKeys: ['northwind'] });
  });
  afterAll(() => account.close());

  test('holds every customer over several pages, with the tenant in its metadata', async () => {
    const catalog = await account.billing.readCatalog({ invoicesSince: new Date(0) });
    expect(catalog.customers).toHaveLength(120);
    // Oldest first, so that who claimed a tenant first keeps it.
    expect(catalog.customers.map((customer) => customer.metadata.tenant_id)).toEqual(
      account.scenario.customers.map((customer) => customer.tenantKey),
    );
    expect(catalog.customers.every((customer) => !customer.deleted)).toBe(true);
  });

  test('binds each subscription item to its meter, price and product', async () => {
    const catalog = await account.billing.readCatalog({ invoicesSince: new Date(0) });
    const northwind = catalog.customers.find((customer) => customer.metadata.tenant_id === 'northwind');
    const items = catalog.subscriptionItems.filter(
      (item) => item.stripeCustomerId === northwind?.stripeCustomerId,
    );
    const meters = new Map(catalog.meters.map((meter) => [meter.stripeMeterId, meter]));
    const cached = items.find(
      (item) =>
        item.priceMetadata.tallystick_model === 'gpt-4o' &&
        item.priceMetadata.tallystick_token_type === 'prompt_cached',
    );
    expect(cached).toMatchObject({
      productName: 'GPT-4o cached prompt tokens',
      currency: 'usd',
      price: { kind: 'per_unit', unitAmountDecimal: '0.00015' },
      subscriptionStatus: 'active',
      currentPeriodStart: new Date('2026-11-01T00:00:00Z'),
      currentPeriodEnd: new Date('2026-11-04T00:00:00Z'),
    });
    expect(meters.get(cached?.stripeMeterId ?? '')).toMatchObject({
      eventName: 'gpt_4o_prompt_cached_tokens',
      aggregation: 'sum',
      eventTimeWindow: null,
      status: 'active',
    });
  });

  test('keeps a metered item without a meter, so that it can be refused loudly', async () => {
    const catalog = await account.billing.readCatalog({ invoicesSince: new Date(0) });
    const legacy = catalog.subscriptionItems.filter((item) => item.stripeMeterId === null);
    expect(legacy).toHaveLength(1);
    expect(legacy[0]?.productName).toBe('Legacy tokens');
  });

  test('prices items in the currency of the customer', async () => {
    const catalog = await account.billing.readCatalog({ invoicesSince: new Date(0) });
    const euro = catalog.customers.find((customer) => customer.currency === 'eur');
    const item = catalog.subscriptionItems.find(
      (candidate) =>
        candidate.stripeCustomerId === euro?.stripeCustomerId &&
        candidate.priceMetadata.tallystick_model === 'o4-mini' &&
        candidate.priceMetadata.tallystick_token_type === 'prompt_cached',
    );
    expect(item).toMatchObject({
      currency: 'eur',
      price: { kind: 'per_unit', unitAmountDecimal: '0.0000322' },
    });
  });

  test('leaves out subscriptions that bill nothing any more', async () => {
    const own = await openAccount();
    onTestFinished(() => own.close());
    const { id } = await own.customer(1);
    await own.sdk.customers.del(id);
    const catalog = await own.billing.readCatalog({ invoicesSince: new Date(0) });
    expect(catalog.customers.some((customer) => customer.stripeCustomerId === id)).toBe(false);
    expect(catalog.subscriptionItems.some((item) => item.stripeCustomerId === id)).toBe(false);
  });

  test('says which mode and version it speaks', async () => {
    expect(await account.billing.describe()).toEqual({ livemode: false, apiVersion: '2026-10-28.endive' });
  });
});
