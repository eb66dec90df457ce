import type Stripe from 'stripe';
import { afterEach, describe, expect, it } from 'vitest';
import type { StripeStandInOptions } from '../../sandbox/stripe/http/options.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { decidePreview } from '../../src/previews/decide.ts';
import { gatherPreview } from '../../src/previews/gather.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { call, PERIOD_END_MS, runUntil } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import { closedOf, northwindOf, openWithPlan } from '../setup/invoiced.ts';
import type { Pipeline } from '../setup/pipeline.ts';

const PREVIEW_KEY = 'rk_test_previews';
const DAY = 86_400;

let pipeline: Pipeline;
afterEach(() => pipeline.close());

async function open(stripe: StripeStandInOptions = {}) {
  const opened = await openWithPlan({
    stripe: { restrictedKeys: { [PREVIEW_KEY]: ['invoice_read'] }, ...stripe },
  });
  pipeline = opened.pipeline;
  return { ...opened, ...(await northwindOf(pipeline)) };
}

async function grant(
  customer: string,
  value: number,
  more: Partial<Stripe.Billing.CreditGrantCreateParams> = {},
): Promise<void> {
  await pipeline.account.billing.creditGrants.create({
    customer,
    name: 'Granted',
    amount: { type: 'monetary', monetary: { currency: 'usd', value } },
    applicability_config: { scope: { price_type: 'metered' } },
    ...more,
  });
}

async function previewed(customerId: string, billing = pipeline.deps.billing) {
  const { database, clock, invoicing } = pipeline.deps;
  const dependencies = { database, clock, invoicing, billing, previewCache: new Map(), version: 'test' };
  const { subscriptions } = await gatherPreview(dependencies, customerId);
  const [material] = subscriptions;
  if (material === undefined) throw new Error('there is no subscription');
  return decidePreview(material);
}

/** Everything but the last call is delivered, and then the clock stands one second before the period's end. */
async function useUntilEnd(caller: Parameters<typeof call>[1]): Promise<void> {
  call(pipeline, caller, { hour: 3, prompt: 40_400_000, completion: 1_234_567 });
  await pipeline.tick(0);
  for (let round = 0; round < 4; round += 1) await pipeline.tick(6);
  call(pipeline, caller, { hour: 25, prompt: 20_300_001, completion: 333_333 });
  for (const untilMs of [PERIOD_END_MS - 4 * HOUR_MS, PERIOD_END_MS - 1_000]) {
    pipeline.advanceTo(untilMs);
    await pipeline.run('collect-usage', 'ingest-events', 'aggregate-usage');
  }
}

describeForBothDrafts('a preview of a customer with billing credits', () => {
  it.each([
    ['line', 'same'],
    ['invoice', 'applicable'],
  ] as const)(
    'says what the invoice comes to, taxes rounded by the %s, sums of the %s scope',
    async (taxRounding, creditScopes) => {
      const { caller, customer, subscription, item } = await open({ taxRounding, creditScopes });
      const { account } = pipeline;
      const vat = await account.taxRates.create({ display_name: 'VAT', percentage: 8.875, inclusive: false });
      const coupon = await account.coupons.create({ percent_off: 33.33, duration: 'forever' });
      await account.subscriptions.update(subscription.id, {
        default_tax_rates: [vat.id],
        discounts: [{ coupon: coupon.id }],
      });
      const prices = { applicability_config: { scope: { prices: [{ id: item.price.id }] } } };
      const now = Math.floor(pipeline.clock.nowMs() / 1_000);
      await grant(customer.id, 1_111);
      await grant(customer.id, 2_222, { ...prices, priority: 10 });
      await grant(customer.id, 777, { category: 'promotional' });
      // Of no invoice of this period: it has expired by its end, takes effect after it, or is of another item's price.
      await grant(customer.id, 50_000, { expires_at: now + DAY });
      await grant(customer.id, 50_000, { effective_at: PERIOD_END_MS / 1_000 + 1 });
      await useUntilEnd(caller);
      const before = pipeline.calls.length;
      const { lines, total } = await previewed(caller.customerId);
      expect(pipeline.calls.slice(before).filter((path) => path.includes('credit_'))).toHaveLength(5);
      expect(lines.some(({ notYetCounted }) => (notYetCounted ?? 0n) > 0n)).toBe(true);
      expect(total.reason).toBeNull();
      expect(total.totals?.creditMinor).toBe(4_110n);
      await runUntil(pipeline, 0, 9 * 60);
      await runUntil(pipeline, 3, 60);
      const { invoice } = await closedOf(pipeline, caller);
      expect(invoice?.status).not.toBe('draft');
      expect(total.totals?.totalMinor).toBe(invoice?.totalMinor);
      expect(total.totals?.dueMinor).toBe(invoice?.amountDueMinor);
    },
  );
});

describe('a preview of a customer with billing credits', () => {
  it('says no total, and why, where the key may not read credits, and all else as before', async () => {
    const { caller, customer } = await open();
    await grant(customer.id, 100_000);
    await useUntilEnd(caller);
    const restricted = createStripe({ STRIPE_API_KEY: PREVIEW_KEY, STRIPE_API_BASE: pipeline.urls.stripe });
    const known = await previewed(caller.customerId);
    const told = await previewed(caller.customerId, restricted);
    expect(told.material.stripe).toMatchObject({
      status: 'ok',
      credits: { status: 'unavailable', reason: 'UPSTREAM_UNAVAILABLE' },
    });
    expect(told.lines).toEqual(known.lines);
    expect(told.total).toEqual({ totals: null, reason: 'credits_unknown' });
    expect(known.total.reason).toBeNull();
  });

  it.each(['available', 'taken'] as const)(
    'says no total while a draft may use the credits first (on drafts they are %s)',
    async (creditsOnDrafts) => {
      const { caller, customer } = await open({ creditsOnDrafts });
      await grant(customer.id, 100_000);
      await useUntilEnd(caller);
      await pipeline.run('push-usage');
      await runUntil(pipeline, 0.5, 30);
      call(pipeline, caller, { hour: 36, prompt: 5_000_000, completion: 0 });
      const { total } = await previewed(caller.customerId);
      expect(total).toEqual({ totals: null, reason: 'credits_shared' });
      await runUntil(pipeline, 4, 60);
      expect((await previewed(caller.customerId)).total.totals).toMatchObject({
        dueMinor: expect.anything(),
      });
    },
  );
});

it('reads of many grants stop where the rest has nothing left', async () => {
  const { caller, customer } = await open();
  for (let month = 0; month < 12; month += 1) await grant(customer.id, 10);
  await useUntilEnd(caller);
  await pipeline.run('push-usage');
  await runUntil(pipeline, 4, 60);
  await grant(customer.id, 333);
  const before = pipeline.calls.length;
  const { material } = await previewed(caller.customerId);
  expect(material.stripe).toMatchObject({ credits: { status: 'ok', left: [{ leftMinor: 333n }] } });
  // The list, the sum of all, and the newest grant.
  expect(pipeline.calls.slice(before).filter((path) => path.includes('credit_'))).toHaveLength(3);
});
