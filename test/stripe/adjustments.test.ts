import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AdjustmentTerms,
  adjustLines,
  type GrossLine,
} from '../../sandbox/stripe/adjustments/adjust.ts';
import { roundHalfAway, roundToTotal } from '../../sandbox/stripe/adjustments/round-to-total.ts';
import { chargeStep } from '../../sandbox/stripe/money.ts';

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);

/** Currencies without decimals, with three, with hundredths that cannot be charged, and the usual kind. */
const currencies = fc.constantFrom('usd', 'jpy', 'kwd', 'ugx');
const percent = fc.bigInt({ min: 1n, max: 1_000_000n });
const taxRates = fc.uniqueArray(
  fc.record({
    taxRateId: fc.constantFrom('vat', 'city', 'state', 'levy'),
    percent: fc.bigInt({ min: 0n, max: 400_000n }),
    inclusive: fc.boolean(),
  }),
  { maxLength: 3, selector: (rate) => rate.taxRateId },
);

const invoices = currencies.chain((currency) => {
  const step = chargeStep(currency);
  const amount = fc.bigInt({ min: 0n, max: 500_000n }).map((units) => units * step);
  const line: fc.Arbitrary<GrossLine> = fc.record({
    amount: fc.oneof(
      { weight: 9, arbitrary: amount },
      { weight: 1, arbitrary: amount.map((value) => (-value / 10n / step) * step) },
    ),
    discountable: fc.boolean(),
    productId: fc.constantFrom('prod_a', 'prod_b', null),
    discountIds: fc.subarray(['own_1', 'own_2']),
    meteredPriceId: fc.constantFrom('price_a', 'price_b', null),
    taxRates,
  });
  const off = fc.oneof(
    percent.map((value) => ({ percent: value })),
    amount.map((value) => ({ amount: value + step })),
  );
  const terms: fc.Arbitrary<AdjustmentTerms> = fc.record({
    discounts: fc.tuple(off, off, off, off, fc.constantFrom(null, ['prod_a'])).map(
      ([one, two, three, four, productIds]) =>
        new Map(
          [one, two, three, four].map((each, index) => {
            const discountId = ['own_1', 'own_2', 'all_1', 'all_2'][index] ?? '';
            return [discountId, { discountId, off: each, productIds: index === 3 ? productIds : null }];
          }),
        ),
    ),
    invoiceDiscountIds: fc.subarray(['all_1', 'all_2']),
    credits: fc
      .array(fc.record({ balance: amount, priceIds: fc.constantFrom(null, ['price_a']) }), { maxLength: 3 })
      .map((grants) => grants.map((grant, index) => ({ ...grant, grantId: `grant_${index}` }))),
    taxRounding: fc.constantFrom('line' as const, 'invoice' as const),
    step: fc.constant(step),
  });
  return fc.record({ currency: fc.constant(currency), lines: fc.array(line, { maxLength: 12 }), terms });
});

describe('parts of a total', () => {
  test('add up to it, in whole steps, each less than a step from its exact share', () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), { minLength: 1, maxLength: 20 }),
        fc.bigInt({ min: 1n, max: 10n ** 9n }),
        fc.constantFrom(1n, 10n, 100n),
        (numerators, denominator, step) => {
          const total = roundHalfAway(sum(numerators), denominator, step);
          const parts = roundToTotal(numerators, denominator, total, step);
          expect(sum(parts)).toBe(total);
          for (const [index, part] of parts.entries()) {
            expect(part % step).toBe(0n);
            const distance = part * denominator - (numerators[index] ?? 0n);
            expect((distance < 0n ? -distance : distance) < step * denominator).toBe(true);
          }
        },
      ),
    );
  });
});

describe('an invoice with discounts, credits and taxes', () => {
  test('adds up to the cent, takes no more than there is, and stays chargeable', () => {
    fc.assert(
      fc.property(invoices, ({ lines, terms }) => {
        const adjusted = adjustLines(lines, terms);
        for (const [index, { discounts, credits, net, taxes }] of adjusted.entries()) {
          const line = lines[index];
          if (line === undefined) throw new RangeError('no line');
          const off = sum([...discounts, ...credits].map((entry) => entry.amount));
          expect(net).toBe(line.amount - off);
          if (line.amount >= 0n) expect(net).toBeGreaterThanOrEqual(0n);
          if (!line.discountable) expect(discounts).toEqual([]);
          if (line.meteredPriceId === null) expect(credits).toEqual([]);
          const all = [net, ...[...discounts, ...credits, ...taxes].map((entry) => entry.amount)];
          for (const amount of all) expect(amount % terms.step).toBe(0n);
          const inclusive = sum(taxes.flatMap((tax) => (tax.inclusive ? tax.amount : [])));
          expect(inclusive < 0n ? -inclusive : inclusive).toBeLessThanOrEqual(
            (net < 0n ? -net : net) + terms.step * BigInt(taxes.length),
          );
        }
        for (const { grantId, balance } of terms.credits) {
          const used = sum(
            adjusted.flatMap(({ credits }) =>
              credits.flatMap((credit) => (credit.grantId === grantId ? credit.amount : [])),
            ),
          );
          expect(used).toBeLessThanOrEqual(balance);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('is taxed over the whole invoice where it is rounded so: each rate once, on what is left', () => {
    fc.assert(
      fc.property(invoices, fc.bigInt({ min: 0n, max: 300_000n }), ({ lines, terms }, rate) => {
        const taxed = lines.map((line) => ({
          ...line,
          taxRates: [{ taxRateId: 'vat', percent: rate, inclusive: false }],
        }));
        const adjusted = adjustLines(taxed, { ...terms, taxRounding: 'invoice' });
        const net = sum(adjusted.map((line) => line.net));
        const tax = sum(adjusted.flatMap((line) => line.taxes.map((entry) => entry.amount)));
        expect(tax).toBe(roundHalfAway(net * rate, 1_000_000n, terms.step));
      }),
    );
  });
});
