import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import { DAY_MS } from '../../src/platform/clock.ts';
import {
  createPlanCatalog,
  type NewPlanPrice,
  type PlanCatalogPort,
} from '../../src/stripe/plans/catalog.ts';
import { openAccount, START_MS, type TestAccount } from './account.ts';

const GRADUATED: RatePrice = {
  kind: 'tiered',
  mode: 'graduated',
  tiers: [
    { upTo: 1_000_000n, unitAmountDecimal: '0', flatAmountDecimal: '900' },
    { upTo: 50_000_000n, unitAmountDecimal: '0.0003', flatAmountDecimal: null },
    { upTo: null, unitAmountDecimal: '0.000250000001', flatAmountDecimal: '0' },
  ],
};

let account: TestAccount;
let plans: PlanCatalogPort;

beforeEach(async () => {
  account = await openAccount();
  plans = createPlanCatalog(
    { STRIPE_API_KEY: account.standIn.apiKey, STRIPE_API_BASE: account.url },
    { timeoutMs: 60_000, retryPolicy: { baseDelayMs: 1, maxDelayMs: 50 } },
  );
});
afterEach(() => account.close());

async function newPlan(): Promise<NewPlanPrice> {
  const product = await plans.createProduct({ planId: 'team', name: 'Team: GPT-5 prompt' });
  const meter = await plans.createMeter({ eventName: 'gpt_5_prompt_tokens', displayName: 'GPT-5 prompt' });
  return {
    planId: 'team',
    productId: product.productId,
    meterId: meter.meterId,
    lookupKey: 'tallystick:team:gpt-5:prompt',
    currency: 'usd',
    price: GRADUATED,
    metadata: { tallystick_model: 'gpt-5', tallystick_token_type: 'prompt' },
  };
}

describe('the catalog of plans at Stripe', () => {
  it('keeps a tiered price to the last decimal, and lists what bears our mark alone', async () => {
    const made = await plans.createPrice(await newPlan());
    const listing = await plans.listPlanCatalog();
    expect(listing.prices).toEqual([made]);
    expect(made).toMatchObject({ planId: 'team', active: true, price: GRADUATED });
    expect(listing.products.map((product) => product.name)).toEqual(['Team: GPT-5 prompt']);
    expect(listing.meters.map((meter) => meter.eventName)).toContain('gpt_4o_prompt_tokens');
  });

  it('is the same after a second run, and after answers that were lost', async () => {
    const plan = await newPlan();
    account.standIn.faults.add({ path: '/v1/prices', kind: 'reset_after', count: 1 });
    const one = await plans.createPrice(plan);
    account.standIn.faults.add({ path: '/v1/prices', kind: 'fail', count: 1 });
    const other = await plans.createPrice({ ...plan, lookupKey: 'tallystick:team:gpt-5:completion' });
    expect(await plans.createPrice(plan)).toEqual(one);
    const { prices } = await plans.listPlanCatalog();
    expect(prices.map((price) => price.priceId)).toEqual([one.priceId, other.priceId]);
  });

  it('moves the lookup key to the new price, and makes the old one anew when it is asked for again', async () => {
    const plan = await newPlan();
    const old = await plans.createPrice(plan);
    const next = await plans.createPrice({
      ...plan,
      price: { kind: 'per_unit', unitAmountDecimal: '0.001' },
    });
    await plans.deactivatePrice(old.priceId);
    const back = await plans.createPrice(plan);
    expect(back.priceId).not.toBe(old.priceId);
    expect(await plans.createPrice(plan)).toEqual(back);
    const keys = (await plans.listPlanCatalog()).prices.map(({ lookupKey, active }) => [lookupKey, active]);
    expect(keys).toEqual([
      [null, false],
      [null, true],
      [plan.lookupKey, true],
    ]);
    expect(next.active).toBe(true);
  });

  it('is not held back by a key that Stripe has forgotten', async () => {
    const plan = await newPlan();
    const one = await plans.createPrice(plan);
    account.clock.advanceTo(START_MS + 2 * DAY_MS);
    expect((await plans.createPrice(plan)).priceId).not.toBe(one.priceId);
  });

  it('changes names and takes products and prices out of use', async () => {
    const plan = await newPlan();
    const { priceId } = await plans.createPrice(plan);
    await plans.deactivatePrice(priceId);
    await plans.updateProduct(plan.productId, { name: 'Team 2', active: false });
    const listing = await plans.listPlanCatalog();
    expect(listing.products).toMatchObject([{ name: 'Team 2', active: false, planId: 'team' }]);
    expect(listing.prices).toMatchObject([{ active: false }]);
  });

  it('says what Stripe refuses', async () => {
    const plan = await newPlan();
    await expect(plans.createPrice({ ...plan, meterId: 'mtr_none' })).rejects.toMatchObject({
      code: 'UPSTREAM_REJECTED',
      retry: false,
    });
    await expect(
      plans.createMeter({ eventName: 'gpt_4o_prompt_tokens', displayName: 'again' }),
    ).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
  });
});
