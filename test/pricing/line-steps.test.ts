import { expect, it } from 'vitest';
import { areLinesInSteps } from '../../pricing/invoices/line-steps.ts';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';

const PACKAGES: RatePrice = {
  kind: 'per_package',
  unitAmountDecimal: '0.000361988',
  packageSize: 7n,
  round: 'up',
};

it.each([
  ['tokens', 5_095_480n],
  ['packages', 727_926n],
])(
  'a line by the package tells by its amount whether it is rounded to what can be charged, shown in %s',
  (_, quantity) => {
    const shown = (chargedMinor: bigint) => [{ price: PACKAGES, quantity, chargedMinor, before: null }];
    // 727,926 packages are 263.5 hundredths of a shilling.
    expect(areLinesInSteps(shown(264n), 'ugx')).toBe(false);
    expect(areLinesInSteps(shown(300n), 'ugx')).toBe(true);
  },
);
