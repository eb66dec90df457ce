import { divideHalfUp } from '../money.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { compare, nearestRank, sum } from '../statistics.ts';
import { TOKEN_TYPES } from '../usage/tokens.ts';
import { findQuotedPrice } from './quoted-price.ts';
import { countTokens, type QuoteUsage, type Ratio } from './usage.ts';
import { aroundOne, rangeOfUsers, type UsageRange } from './users-range.ts';

/** A month of a quote, in days. */
export const MONTH_DAYS = 30;
/** Fewer people or days than these say nothing about the next customer's. */
export const LEAST_ACTIVE_USERS = 5;
export const LEAST_ACTIVE_DAYS = 7;
/** Among fewer the heaviest users are mostly missing, and with them what a range would have to hold. */
const LEAST_RANGE_USERS = 10;
/** Two weeks side by side are the least that can be called variation. */
const LEAST_VARIATION_DAYS = 14;
const WEEK_DAYS = 7;

/** What one active user of a feature costs us and uses in a month of 30 days. */
export interface UserDistribution {
  userCount: number;
  dayCount: number;
  tokens: Percentiles;
  /** Pico of the price book's currency; null when some of the usage has no price. */
  cost: Percentiles | null;
}

/** By nearest rank: the least value that at least half, or nine in ten, of all users do not exceed. */
export interface Percentiles {
  p50: bigint;
  p90: bigint;
  /** Rounded to the nearest unit. */
  mean: bigint;
}

export interface ActivityMeasure {
  distribution: UserDistribution;
  /** Null: of fewer than 10 users. */
  range: UsageRange | null;
}

/**
 * Measures users by what they cost, or by their tokens where some of their usage has no price. The range is that of what
 * `count` further users use together.
 * @param users each active user's usage of the observed days
 * @throws RangeError when there is no user, no day or no token
 */
export function measureUsers(
  users: readonly (readonly QuoteUsage[])[],
  { count, dayCount, book, at }: { count: bigint; dayCount: number; book: PriceBook; at?: Date | undefined },
): ActivityMeasure {
  const tokens = users.map(countTokens);
  if (tokens.length === 0 || dayCount < 1 || sum(tokens) <= 0n) {
    throw new RangeError('there is no activity to measure');
  }
  const costs = users.map((usage) => costOfUsage(usage, book, at));
  const knownCosts = costs.filter((cost) => cost !== null);
  const cost = knownCosts.length === costs.length && sum(knownCosts) > 0n ? knownCosts : null;
  const measured = cost ?? tokens;
  return {
    distribution: {
      userCount: users.length,
      dayCount,
      tokens: monthly(tokens, dayCount),
      cost: cost === null ? null : monthly(cost, dayCount),
    },
    range: measured.length < LEAST_RANGE_USERS ? null : rangeOfUsers(measured, count),
  };
}

/** The factor that turns what all observed users used into what `count` users use in a month. */
export function perUserMonth(count: bigint, userCount: number, dayCount: number): Ratio {
  return { numerator: count * BigInt(MONTH_DAYS), denominator: BigInt(userCount) * BigInt(dayCount) };
}

/**
 * The quietest and the busiest seven days in a row, as if all days were like them.
 * @param days what each day weighs, in order; cost, or tokens
 * @returns null when there are fewer than 14 days, or nothing in them
 */
export function measureVariation(days: readonly bigint[]): UsageRange | null {
  const total = sum(days);
  if (days.length < LEAST_VARIATION_DAYS || total <= 0n) return null;
  const weeks = days.slice(WEEK_DAYS - 1).map((_, index) => sum(days.slice(index, index + WEEK_DAYS)));
  const ratioOf = (week: bigint): Ratio => ({
    numerator: (week < 0n ? 0n : week) * BigInt(days.length),
    denominator: total * BigInt(WEEK_DAYS),
  });
  const sorted = weeks.toSorted(compare);
  return aroundOne(ratioOf(sorted[0] ?? 0n), ratioOf(sorted.at(-1) ?? 0n));
}

/** Pico of the book's currency; null when any of it has no price. */
function costOfUsage(usage: readonly QuoteUsage[], book: PriceBook, at?: Date): bigint | null {
  let cost = 0n;
  for (const entry of usage) {
    for (const tokenType of TOKEN_TYPES) {
      if (entry.tokens[tokenType] === 0n) continue;
      const found = findQuotedPrice(book, entry, at, tokenType);
      if (!found.found || entry.untold !== undefined) return null;
      cost += entry.tokens[tokenType] * found.picoUsdPerToken;
    }
  }
  return cost;
}

function monthly(values: readonly bigint[], dayCount: number): Percentiles {
  const sorted = values.toSorted(compare);
  const perMonth = (value: bigint, divisor: number) =>
    divideHalfUp(value * BigInt(MONTH_DAYS), BigInt(dayCount) * BigInt(divisor));
  return {
    p50: perMonth(nearestRank(sorted, 50), 1),
    p90: perMonth(nearestRank(sorted, 90), 1),
    mean: perMonth(sum(values), values.length),
  };
}
