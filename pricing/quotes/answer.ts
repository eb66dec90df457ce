import { divideHalfUp } from '../money.ts';
import { costRateOf } from './cost-rate.ts';
import { type Figure, known, unknown } from './figures.ts';
import { discountHundredths, type OfferRate, offerRates, sellRatesOf } from './offer.ts';
import { createQuote, type Quote, type QuoteInput } from './quote.ts';
import { priceForMargin, type TargetPrice } from './target.ts';
import { adjustUsage, type QuoteAdjustments, type QuoteUsage, type Ratio, scaleUsage } from './usage.ts';
import type { UsageRange } from './users-range.ts';

const MILLION = 1_000_000n;

/** Usage that varies together: a customer's, or that of the users of one feature. */
export interface UsageGroup {
  usage: readonly QuoteUsage[];
  /** Null: nothing was measured that it could be told from. */
  range: UsageRange | null;
}

export type AnswerInput = Omit<QuoteInput, 'usage'> & {
  groups: readonly UsageGroup[];
  adjustments: QuoteAdjustments;
  /** Wanted margin as a share of the price. */
  targetMargin: Ratio | null;
  /** Whether the target is made an offer; quotes from before were none. */
  isOffered?: boolean;
};

/** One end of a range, or what is expected between them. */
export interface RangePoint {
  tokenCount: bigint;
  cost: Figure;
  price: Figure;
  invoiceAmountMinor: Figure;
}

export interface QuoteAnswer {
  quote: Quote;
  /** Pico of the price book's currency for a million tokens, at list prices. */
  costPerMillionTokens: Figure;
  costPerRequest: Figure;
  /** Pico of the minor unit. */
  pricePerMillionTokens: Figure;
  target: TargetPrice | null;
  /** What is offered to reach the target; null without one, or where there is no such price. */
  offer: QuoteOffer | null;
  range: { low: RangePoint; expected: RangePoint; high: RangePoint } | null;
}

/** The same usage at the rates that reach the target. */
interface QuoteOffer {
  rates: OfferRate[];
  quote: Quote;
  /** Hundredths of a per cent off the quoted price; null where it is below the target. */
  discountHundredths: bigint | null;
  range: QuoteAnswer['range'];
}

/** Everything a quote says. Pure: the same input gives the same answer for ever. */
export function answerQuote(input: AnswerInput): QuoteAnswer {
  const { priceBook, targetMargin } = input;
  const { quote, range } = quoteWithRange(input);
  const { totals } = quote;
  const costRate = costRateOf({ ...input, costCurrency: priceBook.currency }, input.conversion);
  const target = targetMargin === null ? null : priceForMargin(quote, targetMargin, costRate);
  return {
    quote,
    costPerMillionTokens: perUnit(totals.cost, totals.tokenCount, MILLION, 'no_tokens'),
    costPerRequest: perUnit(totals.cost, totals.requestCount, 1n, 'no_requests'),
    pricePerMillionTokens: perUnit(totals.price, totals.tokenCount, MILLION, 'no_tokens'),
    target,
    offer: target === null || input.isOffered !== true ? null : offerOf(input, quote, target),
    range,
  };
}

function quoteWithRange(input: AnswerInput): { quote: Quote; range: QuoteAnswer['range'] } {
  const { groups, adjustments, priceBook } = input;
  const quoteFor = (usage: readonly QuoteUsage[]) =>
    createQuote({ ...input, usage: adjustUsage(usage, adjustments, priceBook) });
  const quote = quoteFor(groups.flatMap((group) => group.usage));
  const at = (end: 'low' | 'high') =>
    quoteFor(groups.flatMap(({ usage, range }) => (range === null ? [] : scaleUsage(usage, range[end]))));
  const isMeasured = groups.length > 0 && groups.every((group) => group.range !== null);
  return {
    quote,
    range: isMeasured
      ? { low: pointOf(at('low')), expected: pointOf(quote), high: pointOf(at('high')) }
      : null,
  };
}

/** An offer is for usage that stands alone: what comes on top of other usage is priced with it. */
function offerOf(input: AnswerInput, quote: Quote, target: TargetPrice): QuoteOffer | null {
  const rates = (input.mode ?? 'new') === 'new' ? offerRates(quote, target, input.priceBook) : null;
  if (rates === null) return null;
  const models = [...new Set(quote.lines.map(({ model }) => model))];
  const sellRates = sellRatesOf(rates, models, input.priceBook);
  return {
    rates,
    discountHundredths: discountHundredths(quote, target),
    ...quoteWithRange({ ...input, sellRates, minimumAmountMinor: 0n, minimums: [] }),
  };
}

function pointOf({ totals }: Quote): RangePoint {
  const { tokenCount, cost, price, invoiceAmountMinor } = totals;
  return { tokenCount, cost, price, invoiceAmountMinor };
}

/** Rounded to the nearest pico. */
function perUnit(total: Figure, count: bigint, unit: bigint, reason: 'no_tokens' | 'no_requests'): Figure {
  if (total.value === null) return unknown(total.reason);
  return count > 0n ? known(divideHalfUp(total.value * unit, count)) : unknown(reason);
}
