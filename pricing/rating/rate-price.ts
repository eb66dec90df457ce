import { PICO_DIGITS, parseDecimal } from '../money.ts';

/** One tier of a tiered price. Amounts are decimal text in minor units, at most 12 decimals, as Stripe's are. */
export interface PriceTier {
  /** Last quantity of the tier, inclusive; null: without end. */
  upTo: bigint | null;
  unitAmountDecimal: string;
  /** Charged once when the tier is entered; null: nothing. */
  flatAmountDecimal: string | null;
}

/** So many tokens at one amount (Stripe's `transform_quantity`); what is left over counts as a whole package, or as none. */
export interface PackagePrice {
  kind: 'per_package';
  /** Minor units for a package. */
  unitAmountDecimal: string;
  packageSize: bigint;
  round: 'up' | 'down';
}

/**
 * What a quantity is charged. `graduated`: each tier's part at its own price. `volume`: all of it at the price of
 * the tier that the total falls into. An included allowance is a first tier at 0.
 */
export type RatePrice =
  | { kind: 'per_unit'; unitAmountDecimal: string }
  | PackagePrice
  | { kind: 'tiered'; mode: 'graduated' | 'volume'; tiers: readonly PriceTier[] };

/** Usage in a trial is given away; its lines, if there are any, show it at nothing. */
export const FREE: RatePrice = { kind: 'per_unit', unitAmountDecimal: '0' };

/** How many packages a quantity makes. */
export function packagesOf({ packageSize, round }: PackagePrice, quantity: bigint): bigint {
  return (quantity + (round === 'up' ? packageSize - 1n : 0n)) / packageSize;
}

/** What is wrong with a price: where in it (`tiers[1].upTo`), and what to write instead. */
export interface PriceProblem {
  path: string;
  message: string;
  fix: string;
}

/** Everything that is wrong with a price; empty when nothing is. */
export function ratePriceProblems(price: RatePrice): PriceProblem[] {
  if (price.kind === 'per_unit') return amountProblems('unitAmountDecimal', price.unitAmountDecimal);
  if (price.kind === 'per_package') {
    const amounts = amountProblems('unitAmountDecimal', price.unitAmountDecimal);
    if (price.packageSize > 0n) return amounts;
    const message = `${price.packageSize} is not positive`;
    return [...amounts, { path: 'packageSize', message, fix: 'Give a package of 1 or more.' }];
  }
  if (price.tiers.length === 0) {
    return [{ path: 'tiers', message: 'there is no tier', fix: 'Give at least one tier, without an end.' }];
  }
  return price.tiers.flatMap((tier, index) => [
    ...boundProblems(price.tiers, index),
    ...amountProblems(`tiers[${index}].unitAmountDecimal`, tier.unitAmountDecimal),
    ...(tier.flatAmountDecimal === null
      ? []
      : amountProblems(`tiers[${index}].flatAmountDecimal`, tier.flatAmountDecimal)),
  ]);
}

/**
 * Accepts a price that any quantity can be rated by, in exactly one way.
 * @throws RangeError naming each tier that is wrong and what to write instead
 */
export function checkRatePrice(price: RatePrice): void {
  const problems = ratePriceProblems(price);
  if (problems.length === 0) return;
  throw new RangeError(problems.map(({ path, message, fix }) => `${path}: ${message}. ${fix}`).join(' '));
}

function boundProblems(tiers: readonly PriceTier[], index: number): PriceProblem[] {
  const upTo = tiers[index]?.upTo ?? null;
  const path = `tiers[${index}].upTo`;
  const isLast = index === tiers.length - 1;
  if (upTo === null) {
    if (isLast) return [];
    const message = `tier ${index + 1} has no end and overlaps the ${tiers.length - 1 - index} after it`;
    return [{ path, message, fix: 'Give it an end, or remove what follows.' }];
  }
  if (isLast) {
    const message = `the last tier ends at ${upTo}: what lies above it has no price`;
    return [{ path, message, fix: 'Leave the end of the last tier open.' }];
  }
  if (upTo <= 0n) return [{ path, message: `${upTo} is not positive`, fix: 'End the tier at 1 or more.' }];
  const before = index === 0 ? null : (tiers[index - 1]?.upTo ?? null);
  if (before === null || upTo > before) return [];
  const message =
    upTo === before
      ? `tier ${index + 1} ends at ${upTo}, where tier ${index} ends: it is empty`
      : `tier ${index + 1} ends at ${upTo} and overlaps tier ${index}, which ends at ${before}`;
  return [{ path, message, fix: 'Sort the tiers by their ends, each higher than the last.' }];
}

function amountProblems(path: string, amount: string): PriceProblem[] {
  const fix = `Write a decimal of 0 or more with at most ${PICO_DIGITS} decimals.`;
  try {
    if (parseDecimal(amount, PICO_DIGITS) >= 0n) return [];
    return [{ path, message: `${amount} is negative`, fix }];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [{ path, message: error.message, fix }];
  }
}
