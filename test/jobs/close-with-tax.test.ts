import type Stripe from 'stripe';
import { afterEach, expect, it } from 'vitest';
import { getCertificate } from '../../src/closing/certificates.ts';
import { checkStripeTaxes } from '../../src/command-line/doctor/tax-checks.ts';
import { seedPlans } from '../../src/plans/seed.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { call, callersOf, closeOf, openClosing, runUntil, SCALE_PLAN_PRICES } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import { balance, type Pipeline, START_MS } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** The first customer, whose plan costs 500 USD at least, has used 12.00; set up before the period ends. */
async function openWith(prepare: (own: { subscriptionId: string; customerId: string }) => Promise<unknown>) {
  pipeline = await openClosing({ stripe: { tieredPrices: SCALE_PLAN_PRICES } });
  await seedPlans(pipeline.deps.database, new Date(START_MS));
  const [caller] = callersOf(pipeline);
  const { account } = pipeline;
  for await (const subscription of account.subscriptions.list({ expand: ['data.customer'] })) {
    const customer = subscription.customer as Stripe.Customer;
    if (customer.metadata.tenant_id !== caller?.customerId) continue;
    await prepare({ subscriptionId: subscription.id, customerId: customer.id });
  }
  call(pipeline, caller, { hour: 3, prompt: 1_000_000, completion: 200_000 });
  await runUntil(pipeline, 0, 18 * 60);
  return caller;
}

async function closed(customerId: string | undefined) {
  const { close } = await closeOf(pipeline, customerId);
  const { database } = pipeline.deps;
  const invoice = await pipeline.account.invoices.retrieve(close.invoiceId);
  const certificate = await getCertificate(database, close.invoiceId);
  expect(close.state).toBe('finalized');
  expect(certificate).toMatchObject({ driftTokenCount: 0n, driftAmountMinor: 0n });
  expect(await balance(pipeline)).toMatchObject({ drift: 0n, quarantined: 0n });
  return { close, invoice, certificate: JSON.parse(certificate.content) as Record<string, unknown> };
}

/** Stripe Tax in Germany, for prices and items that say nothing themselves. */
async function automaticTax({ subscriptionId, customerId }: { subscriptionId: string; customerId: string }) {
  const { account } = pipeline;
  await account.tax.registrations.create({
    country: 'DE',
    active_from: 'now',
    country_options: { de: { type: 'standard' } },
  });
  await account.customers.update(customerId, { address: { country: 'DE' } });
  await account.subscriptions.update(subscriptionId, { automatic_tax: { enabled: true } });
}

describeForBothDrafts('a close with Stripe Tax', () => {
  it('compares a minimum before tax, and its top-up is taxed as the account says', async () => {
    const caller = await openWith(async (own) => {
      await pipeline.account.tax.settings.update({
        defaults: { tax_behavior: 'exclusive', tax_code: 'txcd_10103001' },
      });
      await automaticTax(own);
    });
    await runUntil(pipeline, 3, 60);
    const { invoice, certificate } = await closed(caller?.customerId);
    expect(invoice).toMatchObject({
      subtotal: 50_000,
      total: 59_500,
      total_taxes: [{ amount: 9_500, tax_behavior: 'exclusive' }],
    });
    expect(certificate).toMatchObject({
      totalMinor: '59500',
      minimums: [{ linesMinor: '1200', topUpMinor: '48800' }],
    });
  });

  it('makes a top-up that is too much smaller: Stripe Tax takes no item below zero', async () => {
    const caller = await openWith(async (own) => {
      await pipeline.account.tax.settings.update({ defaults: { tax_behavior: 'exclusive' } });
      await automaticTax(own);
    });
    const { invoicing } = pipeline.deps;
    pipeline.deps.invoicing = {
      ...invoicing,
      createInvoiceItem: async (item, signal) => {
        const { invoiceItemId } = await invoicing.createInvoiceItem(item, signal);
        await pipeline.account.invoiceItems.update(invoiceItemId, { amount: 60_000 });
        throw new Error('killed after the item was made');
      },
    };
    await runUntil(pipeline, 6, 30);
    const { invoice } = await closed(caller?.customerId);
    const lines = await pipeline.account.invoices.listLineItems(invoice.id ?? '', { limit: 100 });
    const topUps = lines.data.filter((line) => line.parent?.type === 'invoice_item_details');
    expect(topUps.map(({ amount }) => amount)).toEqual([48_800]);
    expect(invoice).toMatchObject({ subtotal: 50_000, total: 59_500 });
  });
});

describeForBothDrafts('a close with discounts and credits', () => {
  it('compares the minimum before both, and the certificate has the total after them', async () => {
    const caller = await openWith(async ({ subscriptionId, customerId: customer }) => {
      const { account } = pipeline;
      const { id: coupon } = await account.coupons.create({ percent_off: 10, duration: 'forever' });
      await account.subscriptions.update(subscriptionId, { discounts: [{ coupon }] });
      await account.billing.creditGrants.create({
        customer,
        amount: { type: 'monetary', monetary: { currency: 'usd', value: 500 } },
        applicability_config: { scope: { price_type: 'metered' } },
      });
      await account.customers.createBalanceTransaction(customer, { amount: -1_000, currency: 'usd' });
    });
    await runUntil(pipeline, 3, 60);
    const { invoice, certificate } = await closed(caller?.customerId);
    // 500.00 less 10 per cent, less 5.00 of credits; 10.00 of it are paid by the balance.
    expect(invoice).toMatchObject({ subtotal: 50_000, total: 44_500, amount_due: 43_500 });
    expect(certificate).toMatchObject({
      totalMinor: '44500',
      minimums: [{ linesMinor: '1200', topUpMinor: '48800' }],
    });
  });
});

describeForBothDrafts('late usage', () => {
  it('is taxed by the rates of its subscription item', async () => {
    let rate = '';
    const caller = await openWith(async ({ subscriptionId }) => {
      const { account } = pipeline;
      const vat = await account.taxRates.create({ display_name: 'VAT', percentage: 20, inclusive: false });
      rate = vat.id;
      const { items } = await account.subscriptions.retrieve(subscriptionId);
      for (const item of items.data) await account.subscriptionItems.update(item.id, { tax_rates: [vat.id] });
    });
    await runUntil(pipeline, 3, 60);
    const first = await closed(caller?.customerId);
    expect(first.invoice).toMatchObject({ subtotal: 50_000, total: 60_000 });
    // 600.00 late, of which the top-up has paid 488.00.
    call(pipeline, caller, { hour: 7, ingestedAtHour: 40, prompt: 60_000_000, completion: 0 });
    await runUntil(pipeline, 7, 60);
    pipeline.advanceTo(Date.UTC(2026, 10, 2, 12) - HOUR_MS);
    await pipeline.run();
    for (let hour = 0; hour < 5; hour += 1) await pipeline.tick(1);
    const { invoice } = await closed(caller?.customerId);
    expect(invoice).toMatchObject({ subtotal: 61_200, total: 73_440 });
    expect(invoice.total_taxes).toMatchObject([{ amount: 12_240, tax_rate_details: { tax_rate: rate } }]);
  });
});

it('doctor says where neither prices nor the account say how usage is taxed', async () => {
  pipeline = await openClosing();
  const { account } = pipeline;
  const stripe = createStripe({
    STRIPE_API_KEY: pipeline.stripe.apiKey,
    STRIPE_API_BASE: pipeline.urls.stripe,
  });
  const found = await checkStripeTaxes(stripe);
  expect(found.map(({ verdict }) => verdict)).toEqual(['look', 'look']);
  expect(found[0]?.what).toMatch(/tax_behavior/);
  expect(found[1]?.what).toMatch(/tax_code/);
  await account.tax.settings.update({ defaults: { tax_behavior: 'exclusive', tax_code: 'txcd_10103001' } });
  expect(await checkStripeTaxes(stripe)).toMatchObject([{ verdict: 'good' }]);
});
