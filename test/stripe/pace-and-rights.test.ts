import { afterEach, describe, expect, it } from 'vitest';
import { checkStripe, checkStripeRights } from '../../src/command-line/doctor/checks.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { createStripe, type StripeConfig } from '../../src/stripe/client.ts';
import { createPace } from '../../src/stripe/pace.ts';
import { meterEvent, openAccount, START_MS, type TestAccount } from './account.ts';

let account: TestAccount;
afterEach(() => account.close());

const ALL_READS = ['billing_meter', 'event', 'customer', 'product', 'plan', 'subscription', 'invoice'].map(
  (resource) => `${resource}_read`,
);
const RESTRICTED = {
  rk_test_reads: ALL_READS,
  rk_test_usage: [...ALL_READS, 'billing_meter_event_write'],
  rk_test_all: [...ALL_READS, 'billing_meter_event_write', 'invoice_write', 'credit_note_write'],
};

const withKey = (config: Partial<StripeConfig>) =>
  createStripe(
    { STRIPE_API_KEY: account.standIn.apiKey, STRIPE_API_BASE: account.url, ...config },
    { retryPolicy: { attemptCount: 1 } },
  );

describe('the pace of a test key', () => {
  it('loses no send at what test mode allows, without a word of configuration', async () => {
    account = await openAccount({ callsPerSecond: 25 });
    account.clock.advanceTo(START_MS + 2 * HOUR_MS);
    const { id: stripeCustomerId } = await account.customer(0);
    const config = { STRIPE_API_KEY: account.standIn.apiKey, STRIPE_API_BASE: account.url };
    const billing = createStripe(config, createPace(config));
    const sends = Array.from({ length: 75 }, () =>
      billing.sendMeterEvent(meterEvent({ stripeCustomerId, value: 1n, eventName: 'gpt_4o_prompt_tokens' })),
    );
    expect(new Set(await Promise.all(sends))).toEqual(new Set(['delivered']));
    expect(account.standIn.tokenTotal()).toBe(75n);
  });
});

describe('doctor', () => {
  it('names the rights to write that a key lacks, and writes nothing to find out', async () => {
    account = await openAccount({ restrictedKeys: RESTRICTED });
    const lacks = async (STRIPE_API_KEY: string) =>
      (await withKey({ STRIPE_API_KEY }).findMissingRights()).map(({ right }) => right);
    const before = (await account.sdk.events.list({ limit: 100 })).data.length;
    expect(await lacks('rk_test_reads')).toEqual([
      'write on Billing meter events',
      'write on Invoices',
      'write on Invoices (invoice items)',
      'write on Credit notes',
    ]);
    expect(await lacks('rk_test_usage')).not.toContain('write on Billing meter events');
    expect(await lacks('rk_test_all')).toEqual([]);
    expect(await lacks(account.standIn.apiKey)).toEqual([]);
    expect((await account.sdk.events.list({ limit: 100 })).data).toHaveLength(before);
    expect(account.standIn.tokenTotal()).toBe(0n);
    expect(await checkStripeRights(withKey({ STRIPE_API_KEY: 'rk_test_usage' }))).toContainEqual(
      expect.objectContaining({ verdict: 'bad', what: expect.stringContaining('Credit notes') }),
    );
  });

  it('finds a meter that reads other keys than are sent, and a classic subscription', async () => {
    account = await openAccount();
    const { sdk } = account;
    const meter = await sdk.billing.meters.create({
      event_name: 'odd_tokens',
      display_name: 'Odd',
      default_aggregation: { formula: 'sum' },
      customer_mapping: { type: 'by_id', event_payload_key: 'customer' },
      value_settings: { event_payload_key: 'tokens' },
    });
    const product = await sdk.products.create({ name: 'Odd' });
    const price = await sdk.prices.create({
      product: product.id,
      currency: 'usd',
      unit_amount: 1,
      recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
      metadata: { tallystick_model: 'odd', tallystick_token_type: 'prompt' },
    });
    const customer = await sdk.customers.create({ name: 'Odd' });
    await sdk.subscriptions.create({
      customer: customer.id,
      billing_mode: { type: 'classic' },
      items: [{ price: price.id }],
    });
    const findings = await checkStripe(withKey({}), loadConfig({}), new Date(START_MS));
    expect(findings).toContainEqual(
      expect.objectContaining({
        verdict: 'bad',
        what: expect.stringContaining('"customer" and value from "tokens"'),
      }),
    );
    expect(findings).toContainEqual(
      expect.objectContaining({ verdict: 'look', what: expect.stringContaining('classic') }),
    );
    const catalog = await withKey({}).readCatalog({ invoicesSince: new Date(START_MS) });
    expect(catalog.meters.find(({ eventName }) => eventName === 'odd_tokens')).toMatchObject({
      status: 'inactive',
      payloadKeys: { customer: 'customer', value: 'tokens' },
    });
  });

  it('acts for the account that is configured, and is refused one that the key has no access to', async () => {
    account = await openAccount();
    const own = withKey({ STRIPE_ACCOUNT: 'acct_1TallystickSandbox' });
    expect(await own.describe()).toMatchObject({ livemode: false });
    await expect(withKey({ STRIPE_ACCOUNT: 'acct_other' }).describe()).rejects.toMatchObject({
      statusCode: 403,
    });
  });
});
