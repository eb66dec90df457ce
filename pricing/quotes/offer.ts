import { divideUp, formatDecimal, PICO_DIGITS } from '../money.ts';
import { resolveModel } from '../prices/lookup.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { roundToMinor } from '../rating/rating.ts';
import type { TokenType } from '../usage/tokens.ts';
import { aliasedRates, type QuotedRate } from './parts.ts';
import type { Quote } from './quote.ts';
import { PICO, type TargetPrice } from './target.ts';

/** What a plan charges for one model and token type. */
export interface OfferRate {
  /** As the price book calls it; else as the usage does. */
  model: string;
  tokenType: TokenType;
  /** Pico of the minor unit for one token. */
  unitPicoMinor: bigint;
}

/**
 * The rates at which an invoice of the quoted usage reaches the target: each model and token type bears its own cost, and what
 * rounding the lines of an invoice leaves short is on the line with most tokens.
 * @returns null where the target has no price, or usage is taken away
 */
export function offerRates(quote: Quote, target: TargetPrice, book: PriceBook): OfferRate[] | null {
  const targetMinor = target.invoiceAmountMinor.value;
  const costPico = quote.totals.cost.value;
  if (targetMinor === null || costPico === null || quote.lines.some(({ tokenCount }) => tokenCount < 0n)) {
    return null;
  }
  const groups = new Map<string, OfferRate & { tokenCount: bigint; costPico: bigint }>();
  for (const { model, tokenType, tokenCount, cost } of quote.lines) {
    const name = resolveModel(book, { model })?.model ?? model;
    const key = JSON.stringify([name, tokenType]);
    const group = groups.get(key) ?? {
      model: name,
      tokenType,
      unitPicoMinor: 0n,
      tokenCount: 0n,
      costPico: 0n,
    };
    group.tokenCount += tokenCount;
    group.costPico += cost.value ?? 0n;
    groups.set(key, group);
  }
  const rates = [...groups.values()];
  for (const rate of rates) rate.unitPicoMinor = divideUp(target.priceOf(rate.costPico), rate.tokenCount);
  const amountMinor = rates.reduce(
    (sum, { unitPicoMinor, tokenCount }) => sum + roundToMinor(unitPicoMinor * tokenCount),
    0n,
  );
  const shortMinor = targetMinor - amountMinor;
  const [most] = rates.toSorted((left, right) => (left.tokenCount < right.tokenCount ? 1 : -1));
  if (shortMinor > 0n && most !== undefined) {
    most.unitPicoMinor += divideUp(shortMinor * PICO, most.tokenCount);
  }
  return rates.map(({ model, tokenType, unitPicoMinor }) => ({ model, tokenType, unitPicoMinor }));
}

/** The same as sell rates for the usage, under every name that it has for a model. */
export function sellRatesOf(
  rates: readonly OfferRate[],
  models: readonly string[],
  book: PriceBook,
): QuotedRate[] {
  const offered = rates.map(({ model, tokenType, unitPicoMinor }) => ({
    rateId: `offer/${model}/${tokenType}`,
    description: `${model} ${tokenType}`,
    model,
    feature: '*',
    tokenType,
    price: { kind: 'per_unit' as const, unitAmountDecimal: formatDecimal(unitPicoMinor, PICO_DIGITS) },
  }));
  return [...offered, ...aliasedRates(offered, models, book)];
}

/**
 * How many per cent less than the quoted price still reach the target, with two decimals, rounded down; null where the price is
 * below it already, and no discount helps.
 */
export function discountHundredths(quote: Quote, target: TargetPrice): bigint | null {
  const priceMinor = quote.totals.invoiceAmountMinor.value;
  const targetMinor = target.invoiceAmountMinor.value;
  if (priceMinor === null || targetMinor === null || priceMinor <= 0n || targetMinor > priceMinor)
    return null;
  return ((priceMinor - targetMinor) * 10_000n) / priceMinor;
}
