import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatDecimal } from '../../pricing/money.ts';
import type { PriceTier, RatePrice } from '../../pricing/rating/rate-price.ts';
import { rateQuantity } from '../../pricing/rating/rating.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import type { BillingInvoiceLine } from '../../src/stripe/port.ts';
import { toPriceParameters } from '../../src/stripe/rate-price.ts';
import { meterEvent, openAccount, START_MS, type TestAccount } from './account.ts';

/** As many items as the scenario's subscription still has room for. */
const BATCH = 10;

let account: TestAccount;
beforeAll(async () => {
  account = await openAccount({ aggregationDelayMs: 0, callsPerSecond: Number.POSITIVE_INFINITY });
  account.clock.advanceTo(START_MS + HOUR_MS);
});
afterAll(() => account.close());

const amount = fc
  .bigInt({ min: 0n, max: 5n * 10n ** 12n })
  .chain((pico) => fc.constantFrom(pico, pico / 10n ** 9n, 5n * 10n ** 11n))
  .map((pico) => formatDecimal(pico, 12));
const flat = fc.option(fc.bigInt({ min: 0n, max: 100_000n }).map(String));
const bounds = fc
  .uniqueArray(fc.bigInt({ min: 1n, max: 10n ** 7n }), { minLength: 0, maxLength: 4 })
  .map((ends) => ends.sort((one, other) => (one < other ? -1 : 1)));
const tiers = bounds.chain((ends) =>
  fc.tuple(
    ...[...ends, null].map((upTo) => fc.tuple(amount, flat).map(([unit, fee]) => tier(upTo, unit, fee))),
  ),
);
const price: fc.Arbitrary<RatePrice> = fc.oneof(
  amount.map((unitAmountDecimal) => ({ kind: 'per_unit' as const, unitAmountDecimal })),
  fc
    .tuple(fc.constantFrom('graduated' as const, 'volume' as const), tiers)
    .map(([mode, its]) => ({ kind: 'tiered' as const, mode, tiers: its })),
);
const anyUsed = fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 2n * 10n ** 7n }));
/** Usage anywhere, and at the very ends of the tiers. */
const cases = fc
  .tuple(price, anyUsed, fc.nat(), fc.integer({ min: -1, max: 1 }))
  .map(([its, used, pick, off]) => {
    const ends = its.kind === 'tiered' ? its.tiers.flatMap((entry) => entry.upTo ?? []) : [];
    const end = pick % 3 === 0 ? ends[pick % Math.max(1, ends.length)] : undefined;
    return { price: its, used: end === undefined ? used : end + BigInt(off) };
  });

function tier(upTo: bigint | null, unitAmountDecimal: string, flatAmountDecimal: string | null): PriceTier {
  return { upTo, unitAmountDecimal, flatAmountDecimal };
}

/** Stripe's lines of one item: tokens, each with the flat amount that may follow it. */
function foldFlatAmounts(lines: readonly BillingInvoiceLine[]) {
  const folded: { quantity: bigint; unit: string; amountMinor: bigint }[] = [];
  for (const line of lines) {
    if (line.unitAmountDecimal !== null) {
      folded.push({
        quantity: line.quantity ?? -1n,
        unit: line.unitAmountDecimal,
        amountMinor: line.amountMinor,
      });
    } else {
      const before = folded.at(-1);
      if (before !== undefined) before.amountMinor += line.amountMinor;
    }
  }
  return folded;
}

describe('our rating and Stripe’s preview', () => {
  it('are the same lines to the cent, for any price and any usage', async () => {
    const { sdk, billing, clock } = account;
    const customer = await account.customer(0);
    const product = await sdk.products.create({ name: 'Any' });
    const batch: { itemId: string; price: RatePrice; used: bigint }[] = [];
    let caseCount = 0;
    for (const generated of fc.sample(cases, { numRuns: 150, seed: 20_261_122 })) {
      caseCount += 1;
      const eventName = `any_${caseCount}`;
      const meter = await sdk.billing.meters.create({
        event_name: eventName,
        display_name: eventName,
        default_aggregation: { formula: 'sum' },
      });
      const made = await sdk.prices.create({
        currency: 'usd',
        product: product.id,
        recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
        ...toPriceParameters(generated.price),
      });
      const item = await sdk.subscriptionItems.create({
        subscription: customer.subscriptionId,
        price: made.id,
      });
      if (generated.used > 0n) {
        const event = { value: generated.used, timestamp: new Date(clock.nowMs()) };
        await billing.sendMeterEvent(meterEvent({ stripeCustomerId: customer.id, eventName, ...event }));
      }
      batch.push({ ...generated, itemId: item.id });
      if (batch.length < BATCH) continue;
      clock.advanceTo(clock.nowMs() + MINUTE_MS);
      const { lines } = await billing.previewInvoice({
        stripeCustomerId: customer.id,
        subscriptionId: customer.subscriptionId,
      });
      for (const entry of batch.splice(0)) {
        const theirs = foldFlatAmounts(lines.filter((line) => line.subscriptionItemId === entry.itemId));
        const ours = rateQuantity(entry.used, entry.price).map((line) => ({
          quantity: line.quantity,
          unit: line.unitAmountDecimal,
          amountMinor: line.amountMinor,
        }));
        expect(
          theirs,
          JSON.stringify(entry, (_key, cell) => String(cell)),
        ).toEqual(ours);
        await sdk.subscriptionItems.del(entry.itemId, { proration_behavior: 'none' });
      }
    }
    expect(caseCount).toBe(150);
  });
});
