import { expect, it, onTestFinished } from 'vitest';
import { DAY_MS } from '../../src/platform/clock.ts';
import { noTargets } from '../../src/stripe/event-targets.ts';
import { openAccount, START_MS } from './account.ts';

it('a subscription with more invoices than a page holds is read with all of them', async () => {
  const account = await openAccount({ customerCount: 1 });
  onTestFinished(() => account.close());
  const { id, subscriptionId } = await account.customer(0);
  const [item] = (await account.sdk.subscriptionItems.list({ subscription: subscriptionId, limit: 1 })).data;
  if (item === undefined) throw new Error('the world has changed');
  const daily = await account.sdk.prices.create({
    product: String(item.price.product),
    currency: item.price.currency,
    unit_amount_decimal: '0.001' as never,
    recurring: { interval: 'day', usage_type: 'metered', meter: item.price.recurring?.meter ?? '' },
  });
  const made = await account.sdk.subscriptions.create({ customer: id, items: [{ price: daily.id }] });
  account.clock.advanceTo(START_MS + 130 * DAY_MS + 1);
  const { invoices } = await account.billing.readCatalogObjects(
    { ...noTargets(), subscriptionIds: [made.id] },
    { invoicesSince: new Date(0) },
  );
  expect(invoices).toHaveLength(130);
  expect(new Set(invoices.map(({ invoiceId }) => invoiceId)).size).toBe(130);
});

it('in the classic billing mode, the zero line of an item that is added says nothing of usage', async () => {
  const account = await openAccount({ customerCount: 1 });
  onTestFinished(() => account.close());
  const { id, subscriptionId } = await account.customer(0);
  const items = (await account.sdk.subscriptionItems.list({ subscription: subscriptionId, limit: 100 })).data;
  const prices = items.map(({ price }) => price.id);
  const classic = await account.sdk.subscriptions.create({
    customer: id,
    billing_mode: { type: 'classic' },
    items: [{ price: prices[0] ?? '' }],
  });
  account.clock.advanceTo(START_MS + DAY_MS);
  await account.sdk.subscriptionItems.create({
    subscription: classic.id,
    price: prices[1] ?? '',
    proration_behavior: 'always_invoice',
  });
  const { invoices } = await account.billing.readCatalogObjects(
    { ...noTargets(), subscriptionIds: [classic.id] },
    { invoicesSince: new Date(0) },
  );
  // Each is of the instant it was made in, though its line names the period ahead.
  expect(invoices).toMatchObject([
    { billingReason: 'subscription_update', periodEnd: new Date(START_MS + DAY_MS), meteredLines: [] },
    { billingReason: 'subscription_create', periodEnd: new Date(START_MS), meteredLines: [] },
  ]);
});
