import { divideHalfUp, formatDecimal, minorUnitDigits, parseDecimal } from '../money.ts';

/** What one unit of a currency was in another on a day, as somebody published it. */
export interface ExchangeRate {
  /** UTC day, `2026-11-27`. */
  day: string;
  /** Lower case: one unit of it is `rate` units of `currency`. */
  base: string;
  currency: string;
  /** Decimal text above zero. */
  rate: string;
  source: string;
}

/** Decimals that a published rate may have. */
export const RATE_DIGITS = 12;
/** A weekend and a week of holidays; an older rate is not that of the day any more. */
export const OLDEST_DAYS = 10;
const DAY_MS = 86_400_000;
const SHOWN_DIGITS = 8;

/** What an amount was converted by, so that it can be computed again. */
export interface Conversion {
  from: string;
  to: string;
  /** Units of `to` for one unit of `from`, rounded to 8 decimals for reading; amounts use what was published, unrounded. */
  rate: string;
  /** Of the published rates. */
  day: string;
  source: string;
  published: { base: string; currency: string; rate: string }[];
  /** The exact rate as a fraction. */
  numerator: bigint;
  denominator: bigint;
}

export type ConversionMiss = 'no_exchange_rate' | 'exchange_rate_too_old';

/**
 * The conversion that holds on a day: by rates of the newest day up to it on which both currencies were published beside the same
 * base.
 * @param rates of the currencies and days that matter, in any order
 */
export function conversionAt(
  rates: readonly ExchangeRate[],
  { from, to, day }: { from: string; to: string; day: string },
): Conversion | ConversionMiss {
  const found = rates
    .filter((rate) => rate.day <= day)
    .flatMap(({ day, base, source }) => conversionOf(rates, { from, to, day, base, source }))
    .toSorted((left, right) => (left.day < right.day ? 1 : left.day > right.day ? -1 : 0))[0];
  if (found === undefined) return 'no_exchange_rate';
  const ageDays = (Date.parse(day) - Date.parse(found.day)) / DAY_MS;
  return ageDays > OLDEST_DAYS ? 'exchange_rate_too_old' : found;
}

function conversionOf(
  rates: readonly ExchangeRate[],
  { from, to, ...of }: { from: string; to: string; day: string; base: string; source: string },
): Conversion[] {
  const publishedOf = (currency: string) =>
    currency === of.base
      ? []
      : rates.filter(
          (rate) =>
            rate.day === of.day &&
            rate.base === of.base &&
            rate.source === of.source &&
            rate.currency === currency,
        );
  const [source] = publishedOf(from);
  const [target] = publishedOf(to);
  if ((from !== of.base && source === undefined) || (to !== of.base && target === undefined)) return [];
  const one = 10n ** BigInt(RATE_DIGITS);
  const numerator = target === undefined ? one : parseDecimal(target.rate, RATE_DIGITS);
  const denominator = source === undefined ? one : parseDecimal(source.rate, RATE_DIGITS);
  return [
    {
      from,
      to,
      rate: formatDecimal(divideHalfUp(numerator * 10n ** BigInt(SHOWN_DIGITS), denominator), SHOWN_DIGITS),
      day: of.day,
      source: of.source,
      published: [source, target].flatMap((rate) =>
        rate === undefined ? [] : [{ base: rate.base, currency: rate.currency, rate: rate.rate }],
      ),
      numerator,
      denominator,
    },
  ];
}

/** Pico-USD as pico of the other currency's minor unit, rounded once, halves away from zero. */
export function convertPicoUsd(picoUsd: bigint, { to, numerator, denominator }: Conversion): bigint {
  return divideHalfUp(picoUsd * 10n ** BigInt(minorUnitDigits(to)) * numerator, denominator);
}

/** What costs are converted by, one for each currency of revenue; of the cost's own currency there is none. */
export type Conversions = ReadonlyMap<string, Conversion | ConversionMiss>;

/** By what costs in US dollars are converted for a currency; null: they are in it. */
export function conversionFor(
  currency: string,
  conversions: Conversions,
): Conversion | ConversionMiss | null {
  return currency === 'usd' ? null : (conversions.get(currency) ?? 'no_exchange_rate');
}

/** Pico-USD as pico of the minor unit of what they are converted to; of dollars where nothing is converted. */
export function costInMinor(costPicoUsd: bigint, conversion: Conversion | null): bigint {
  return conversion === null
    ? costPicoUsd * 10n ** BigInt(minorUnitDigits('usd'))
    : convertPicoUsd(costPicoUsd, conversion);
}
