import type { Conversion, ConversionMiss } from '../exchange/rates.ts';
import type { NamedMinimum, PeriodCharge } from '../invoices/minimum.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { weighAll } from '../rating/provisioned.ts';
import { emptyBuckets } from '../usage/tokens.ts';
import type { AnswerInput, UsageGroup } from './answer.ts';
import type { QuoteCapacity } from './capacity.ts';
import type { QuotedRate } from './parts.ts';
import type { AskedAdjustments } from './question.ts';
import type { QuoteMode } from './quote.ts';
import { parseRatio, type QuoteUsage } from './usage.ts';

/** Decimals of shares and scales, and of a target margin in per cent. */
export const SHARE_DIGITS = 6;
const PERCENT_DIGITS = 4;

/** What the usage rests on; instants as ISO text, counts and amounts as decimal text. */
export interface UsageBasis {
  kind: 'given' | 'like_customer' | 'active_users';
  likeCustomer: string | null;
  from: string | null;
  to: string | null;
  scale: string | null;
  /** Where usage of a part of a month was brought to a month: that part; left out where nothing was. */
  extrapolated?: { from: string; to: string; monthDayCount: string };
  activeUsers: MeasuredUsers[] | null;
  /** What there is already, for `merge` and `replace`. */
  existing: { from: string | null; to: string | null; tokenCount: string; openHourCount: string } | null;
}

export interface MeasuredUsers {
  feature: string;
  count: string;
  sampleUserCount: number;
  sampleDayCount: number;
  tokensPerUserMonth: Record<'p50' | 'p90' | 'mean', string>;
  /** Null when some of the sample has no price. */
  costPerUserMonth: Record<'p50' | 'p90' | 'mean', string> | null;
}

/**
 * All that a quote was computed from beside the price book, whose version is stored too: with both it can be computed
 * again whatever changed since. Users' own figures are not in it.
 */
export interface QuoteGround {
  mode: QuoteMode;
  customerId: string | null;
  currency: string;
  at: Date;
  plan: { planId: string; name: string; versionId: string } | null;
  rateBasis: 'plan' | 'customer' | 'usual';
  /** Rates that matched; null for a plan, whose stored version has them. */
  rates: QuotedRate[] | null;
  minimumAmountMinor: bigint;
  /** Of the customer's plans, where it is priced as a customer; left out: none. */
  minimums?: NamedMinimum[];
  /** What of the period is charged at prices that items have left; left out: nothing. */
  elsewhere?: PeriodCharge[];
  /** All rates are on the invoice, used or not; quotes from before had those that are used, and no minimum of a customer. */
  isWholeInvoice?: true;
  adjustments: AskedAdjustments;
  targetMarginPercent: string | null;
  usageBasis: UsageBasis;
  groups: UsageGroup[];
  existing: QuoteUsage[];
  /** Why there is no range. */
  rangeReason: string | null;
  /** What a million tokens cost on average with the throughput bought by the hour; null where none is. */
  averagePicoUsdPerMillion: bigint | null;
  /** Throughput bought by the hour, where some of the usage would run on it; quotes from before there was such have none. */
  capacities?: readonly QuoteCapacity[];
  /** A price that stands in for one of batch is used and said; quotes from before left such a cost unknown. */
  standsIn?: true;
  /** A target margin is made an offer; quotes from before only said its price. */
  isOffered?: true;
  /** By what costs are brought to another currency of prices; quotes from before had no margin there. */
  conversion?: Conversion | ConversionMiss;
  /** Where there is no margin, that of the known part is said; quotes from before said nothing. */
  saysKnownPart?: true;
  /** The day of the oldest list that a price is of is said; quotes from before said nothing. */
  saysPricesAsOf?: true;
}

/** What the quote is computed from. @param rates of the plan, or the ground's own */
export function toAnswerInput(
  ground: QuoteGround,
  priceBook: PriceBook,
  rates: readonly QuotedRate[],
): AnswerInput {
  const { modelSwaps, cachedShare, batchShare, region, deploymentType, serviceTier } = ground.adjustments;
  const { requestInputTokenCount } = ground.adjustments;
  return {
    groups: ground.groups,
    mode: ground.mode,
    existing: ground.existing,
    sellRates: rates,
    minimumAmountMinor: ground.minimumAmountMinor,
    minimums: ground.minimums ?? [],
    elsewhere: ground.elsewhere ?? [],
    // What is usual is no subscription of anybody: it is priced as far as it is used.
    hasAllRates: ground.isWholeInvoice === true && ground.rateBasis !== 'usual',
    currency: ground.currency,
    conversion: ground.conversion,
    priceBook,
    at: ground.at,
    capacities: ground.capacities ?? [],
    batchNeedsOwnPrice: ground.standsIn !== true,
    isOffered: ground.isOffered === true,
    adjustments: {
      ...(modelSwaps === undefined ? {} : { modelSwaps }),
      ...(cachedShare === undefined ? {} : { cachedShare: parseRatio(cachedShare, SHARE_DIGITS) }),
      ...(batchShare === undefined ? {} : { batchShare: parseRatio(batchShare, SHARE_DIGITS) }),
      ...(region === undefined ? {} : { region }),
      ...(deploymentType === undefined ? {} : { deploymentType }),
      ...(serviceTier === undefined ? {} : { serviceTier }),
      ...(requestInputTokenCount === undefined ? {} : { requestInputTokenCount }),
    },
    targetMargin:
      ground.targetMarginPercent === null
        ? null
        : parseRatio(ground.targetMarginPercent, PERCENT_DIGITS, 100n),
  };
}

/** A ground as JSON text, from which `parseGround` makes the same again. Whole numbers are objects with one key. */
export function writeGround(ground: QuoteGround): string {
  const { rates, groups, existing, minimumAmountMinor, averagePicoUsdPerMillion, capacities, ...plain } =
    ground;
  const ordered = {
    ...plain,
    rates,
    groups,
    existing,
    minimumAmountMinor,
    averagePicoUsdPerMillion,
    capacities,
  };
  return JSON.stringify(ordered, (_key, part) =>
    typeof part === 'bigint' ? { $whole: String(part) } : part,
  );
}

export function parseGround(text: string): QuoteGround {
  const ground = JSON.parse(text, (_key, value) =>
    typeof value?.$whole === 'string' ? BigInt(value.$whole) : value,
  ) as QuoteGround & { at: string | Date };
  return {
    ...ground,
    at: new Date(ground.at),
    groups: ground.groups.map((group) => ({ ...group, usage: group.usage.map(withAllTypes) })),
    existing: ground.existing.map(withAllTypes),
    ...(ground.capacities === undefined ? {} : { capacities: ground.capacities.map(withAllWeights) }),
  };
}

/** Quotes from before there were audio, images and cache writes hold no tokens of them. */
function withAllTypes(usage: QuoteUsage): QuoteUsage {
  return { ...usage, tokens: { ...emptyBuckets(), ...usage.tokens } };
}

function withAllWeights(bought: QuoteCapacity): QuoteCapacity {
  const { capacity } = bought;
  return { ...bought, capacity: { ...capacity, weights: weighAll(capacity.weights) } };
}
