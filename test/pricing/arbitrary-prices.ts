import fc from 'fast-check';
import { formatDecimal } from '../../pricing/money.ts';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';

/** Up to 1,000 minor units for one token, with all 12 decimals. */
const amount = fc.bigInt({ min: 0n, max: 10n ** 15n }).map((pico) => formatDecimal(pico, 12));
const flat = fc.option(
  fc.bigInt({ min: 0n, max: 10n ** 6n }).map((minor) => String(minor)),
  { nil: null },
);
export const anyQuantity = fc.bigInt({ min: 0n, max: 10n ** 13n });

export const anyPerUnitPrice: fc.Arbitrary<RatePrice> = amount.map((unitAmountDecimal) => ({
  kind: 'per_unit',
  unitAmountDecimal,
}));

export function anyTieredPrice(mode: 'graduated' | 'volume'): fc.Arbitrary<RatePrice> {
  const ends = fc.uniqueArray(fc.bigInt({ min: 1n, max: 10n ** 12n }), { maxLength: 5 });
  return fc
    .tuple(ends, fc.array(fc.tuple(amount, flat), { minLength: 6, maxLength: 6 }))
    .map(([upTos, amounts]) => {
      const sorted = upTos.sort((left, right) => (left < right ? -1 : 1));
      return {
        kind: 'tiered',
        mode,
        tiers: [...sorted, null].map((upTo, index) => {
          const [unitAmountDecimal, flatAmountDecimal] = amounts[index] ?? ['0', null];
          return { upTo, unitAmountDecimal, flatAmountDecimal };
        }),
      } satisfies RatePrice;
    });
}

const anyPackagePrice: fc.Arbitrary<RatePrice> = fc
  .tuple(amount, fc.bigInt({ min: 1n, max: 10n ** 7n }), fc.constantFrom('up', 'down'))
  .map(([unitAmountDecimal, packageSize, round]) => ({
    kind: 'per_package',
    unitAmountDecimal,
    packageSize,
    round,
  }));

export const anyPrice = fc.oneof(
  anyPerUnitPrice,
  anyPackagePrice,
  anyTieredPrice('graduated'),
  anyTieredPrice('volume'),
);
