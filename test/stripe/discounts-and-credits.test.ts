import type Stripe from 'stripe';
import { afterEach, describe, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { START_MS, type TestAccountOptions } from './account.ts';
import { type ClosingWorld, FIRST_END_MS, openClosing } from './closing-world.ts';

let world: ClosingWorld;
afterEach(() => (world as ClosingWorld | undefined)?.close());

const open = async (options: TestAccountOptions = {}) => {
  world = await openClosing(options);
  return world;
};
const seconds = (ms: number) => Math.floor(ms / 1_000);

const use = (prompt: bigint, completion?: bigint) => world.useOnSecondDay(prompt, completion);
const draft = () => world.draft();
const finalize = (id: string) => world.finalize(id);

describe('a coupon', () => {
  test('takes its part off every line, and names itself where the discount is expanded', async () => {
    const { sdk, subscriptionId } = await open();
    const { id: coupon } = await sdk.coupons.create({
      percent_off: 12.5,
      name: 'Launch',
      duration: 'forever',
    });
    await sdk.subscriptions.update(subscriptionId, { discounts: [{ coupon }] });
    await use(1_000_000n, 1_000_001n);
    const { id } = await draft();
    const expand = ['total_discount_amounts.discount.source.coupon'];
    const invoice = await sdk.invoices.retrieve(id, { expand });
    expect(invoice).toMatchObject({
      subtotal: 1_500,
      total: 1_312,
      total_excluding_tax: 1_312,
      amount_due: 1_312,
      total_discount_amounts: [{ amount: 188, discount: { source: { coupon: { name: 'Launch' } } } }],
    });
    const parts = invoice.lines.data.map((line) => line.discount_amounts?.[0]?.amount ?? 0);
    expect(parts.reduce((total, part) => total + part, 0)).toBe(188);
    expect(invoice.lines.data.map((line) => line.amount).filter((amount) => amount > 0)).toEqual([
      300, 1_200,
    ]);
  });

  test.each([
    ['once', {}, [270, 300, 300]],
    ['repeating', { duration_in_months: 2 }, [270, 270, 300]],
    ['forever', {}, [270, 270, 270]],
  ] as const)('that lasts %s is on so many invoices', async (duration, more, totals) => {
    const { sdk, subscriptionId, goTo, use: send, reports } = await open();
    const { id: coupon } = await sdk.coupons.create({ percent_off: 10, duration, ...more });
    await sdk.subscriptions.update(subscriptionId, { discounts: [{ coupon }] });
    for (const day of [1, 5, 35]) {
      goTo(START_MS + day * DAY_MS + HOUR_MS / 60);
      await send(1_000_000n, START_MS + day * DAY_MS);
    }
    goTo(Date.parse('2027-01-10T00:00:00Z'));
    expect(reports().map(({ total }) => Number(total) * 100)).toEqual([...totals]);
  });

  test('of an item goes before those of the invoice, and each takes of what is left', async () => {
    const { sdk, subscriptionId } = await open();
    const subscription = await sdk.subscriptions.retrieve(subscriptionId, { expand: ['items.data.price'] });
    const { id: own } = await sdk.coupons.create({ amount_off: 100, currency: 'usd', duration: 'forever' });
    const { id: half } = await sdk.coupons.create({ percent_off: 50, duration: 'forever' });
    await use(1_000_000n);
    const { id, lines } = await draft();
    const line = lines.data.find(({ amount }) => amount === 300);
    const itemId = line?.parent?.subscription_item_details?.subscription_item ?? '';
    expect(subscription.items.data.map((item) => item.id)).toContain(itemId);
    await sdk.subscriptionItems.update(itemId, { discounts: [{ coupon: own }] });
    await sdk.subscriptions.update(subscriptionId, { discounts: [{ coupon: half }] });
    const preview = await (async () => {
      await world.use(1_000_000n, FIRST_END_MS + HOUR_MS);
      world.goTo(FIRST_END_MS + 2 * HOUR_MS);
      return sdk.invoices.createPreview({ subscription: subscriptionId });
    })();
    // The discount of the item is part of the subtotal already, as Stripe says of it.
    expect(preview).toMatchObject({ subtotal: 200, total: 100 });
    // A draft is as it was made; what is set on it by hand counts.
    expect(await sdk.invoices.retrieve(id)).toMatchObject({ total: 300 });
    await sdk.invoices.update(id, { discounts: [{ coupon: half }] });
    expect(await sdk.invoices.retrieve(id)).toMatchObject({ subtotal: 300, total: 150 });
  });

  test('of a customer is for subscriptions that have none of their own', async () => {
    const { sdk, subscriptionId, id: customer } = await open();
    const { id: half } = await sdk.coupons.create({ percent_off: 50, duration: 'forever' });
    const { id: tenth } = await sdk.coupons.create({ percent_off: 10, duration: 'forever' });
    // Present versions only show such discounts, and make none.
    const earlier = { apiVersion: '2025-02-24.acacia' };
    await sdk.rawRequest('POST', `/v1/customers/${customer}`, { coupon: half }, earlier);
    await use(1_000_000n);
    world.goTo(START_MS + 2 * DAY_MS);
    const preview = () => sdk.invoices.createPreview({ subscription: subscriptionId });
    expect((await preview()).total).toBe(150);
    await sdk.subscriptions.update(subscriptionId, { discounts: [{ coupon: tenth }] });
    expect((await preview()).total).toBe(270);
    await sdk.subscriptions.update(subscriptionId, { discounts: '' });
    await sdk.customers.deleteDiscount(customer);
    expect((await preview()).total).toBe(300);
  });

  test('is not redeemed beyond its number, its date or in another currency', async () => {
    const { sdk, subscriptionId, clock } = await open();
    const { id: single } = await sdk.coupons.create({ percent_off: 5, duration: 'once', max_redemptions: 1 });
    const late = await sdk.coupons.create({
      percent_off: 5,
      duration: 'once',
      redeem_by: seconds(clock.nowMs()) - 1,
    });
    const set = (coupon: string) => sdk.subscriptions.update(subscriptionId, { discounts: [{ coupon }] });
    await set(single);
    await expect(set(single)).rejects.toMatchObject({ code: 'coupon_expired' });
    await expect(set(late.id)).rejects.toMatchObject({ code: 'coupon_expired' });
    await expect(sdk.coupons.create({ percent_off: 5, amount_off: 5, currency: 'usd' })).rejects.toThrow(
      /not both/,
    );
    await expect(sdk.coupons.create({ percent_off: 5, duration: 'repeating' })).rejects.toThrow(/months/);
    const yen = await sdk.coupons.create({ amount_off: 50, currency: 'jpy', duration: 'forever' });
    await set(yen.id);
    await use(1_000_000n);
    expect(await draft()).toMatchObject({ total: 300, total_discount_amounts: [] });
  });
});

describe('billing credits', () => {
  const metered = { scope: { price_type: 'metered' as const } };
  const amountOf = (value: number) => ({
    type: 'monetary' as const,
    monetary: { currency: 'usd', value },
  });

  test('are used up at finalization, after discounts and before tax, on lines of meters only', async () => {
    const { sdk, subscriptionId, id: customer } = await open();
    const vat = await sdk.taxRates.create({ display_name: 'VAT', percentage: 10, inclusive: false });
    const { id: coupon } = await sdk.coupons.create({ percent_off: 50, duration: 'forever' });
    await sdk.subscriptions.update(subscriptionId, { default_tax_rates: [vat.id], discounts: [{ coupon }] });
    const grant = await sdk.billing.creditGrants.create({
      customer,
      name: 'Prepaid',
      amount: amountOf(1_000),
      applicability_config: metered,
    });
    await sdk.customers.createBalanceTransaction(customer, { amount: -20, currency: 'usd' });
    await use(1_000_000n);
    const { id } = await draft();
    await sdk.invoiceItems.create({ customer, invoice: id, currency: 'usd', amount: 200 });
    const balanceOf = async () =>
      (
        await sdk.billing.creditBalanceSummaries.retrieve({
          customer,
          filter: { type: 'credit_grant', credit_grant: grant.id },
        })
      ).balances[0]?.ledger_balance.monetary?.value;
    const sums = {
      subtotal: 500,
      total_excluding_tax: 100,
      total: 110,
      starting_balance: -20,
      amount_due: 90,
    };
    expect(await sdk.invoices.retrieve(id)).toMatchObject(sums);
    expect(await balanceOf()).toBe(1_000);
    await finalize(id);
    const expand = ['total_pretax_credit_amounts.credit_balance_transaction.credit_grant'];
    const final = await sdk.invoices.retrieve(id, { expand });
    expect(final).toMatchObject({ ...sums, ending_balance: 0, amount_paid: 90 });
    expect(final.total_pretax_credit_amounts).toMatchObject([
      { type: 'discount', amount: 250 },
      {
        type: 'credit_balance_transaction',
        amount: 150,
        credit_balance_transaction: { credit_grant: { name: 'Prepaid' } },
      },
    ]);
    expect(await balanceOf()).toBe(850);
  });

  test('go by priority, expiry, promotional before paid, and as far as their scope and time reach', async () => {
    const { sdk, id: customer, subscriptionId } = await open();
    await use(1_000_000n, 500_000n);
    const prices = await sdk.subscriptions.retrieve(subscriptionId);
    const prompt =
      prices.items.data.find((item) => item.price.unit_amount_decimal?.toString() === '0.0003')?.price.id ??
      '';
    const grant = (name: string, value: number, more: Partial<Stripe.Billing.CreditGrantCreateParams>) =>
      sdk.billing.creditGrants.create({
        customer,
        name,
        amount: amountOf(value),
        applicability_config: metered,
        ...more,
      });
    const end = seconds(FIRST_END_MS);
    await grant('paid', 100, {});
    await grant('promotional', 100, { category: 'promotional' });
    await grant('expires', 100, { expires_at: end + 86_400 });
    await grant('first', 100, { priority: 1 });
    await grant('over', 1_000, { expires_at: end, priority: 0 });
    await grant('later', 1_000, { effective_at: end + 1, priority: 0 });
    await grant('scoped', 1_000, {
      priority: 99,
      applicability_config: { scope: { prices: [{ id: prompt }] } },
    });
    const { id } = await draft();
    await finalize(id);
    const used = await sdk.billing.creditBalanceTransactions.list({
      customer,
      limit: 100,
      expand: ['data.credit_grant'],
    });
    const debits = used.data
      .filter((transaction) => transaction.debit !== null)
      .reverse()
      .map(({ credit_grant, debit }) => [
        (credit_grant as Stripe.Billing.CreditGrant).name,
        debit?.amount.monetary?.value,
      ]);
    const names = [...new Set(debits.map(([name]) => name))];
    expect(names.filter((name) => name !== 'scoped')).toEqual(['first', 'expires', 'promotional', 'paid']);
    expect(debits.flatMap(([name]) => (name === 'over' || name === 'later' ? [name] : []))).toEqual([]);
  });

  test('come back when the invoice is voided, and so does the balance', async () => {
    const { sdk, id: customer } = await open();
    await sdk.billing.creditGrants.create({ customer, amount: amountOf(100), applicability_config: metered });
    await sdk.customers.update(customer, { balance: -50, invoice_settings: { default_payment_method: '' } });
    await use(1_000_000n);
    const { id } = await draft();
    const final = await sdk.invoices.finalizeInvoice(id, { auto_advance: false });
    expect(final).toMatchObject({ status: 'open', total: 200, amount_due: 150 });
    await sdk.invoices.voidInvoice(id);
    const [balance] = (
      await sdk.billing.creditBalanceSummaries.retrieve({
        customer,
        filter: { type: 'applicability_scope', applicability_scope: { price_type: 'metered' } },
      })
    ).balances;
    expect(balance?.ledger_balance.monetary?.value).toBe(100);
    expect(await sdk.customers.retrieve(customer)).toMatchObject({ balance: -50 });
  });
});
