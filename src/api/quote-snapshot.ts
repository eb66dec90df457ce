import type { PriceBook } from '../../pricing/price-book.ts';
import type { DeploymentType } from '../../pricing/price-rows.ts';
import type { QuoteMode } from '../../pricing/quote.ts';
import type { AnswerInput, UsageGroup } from '../../pricing/quote-answer.ts';
import type { QuoteCapacity } from '../../pricing/quote-capacity.ts';
import type { QuotedRate } from '../../pricing/quote-parts.ts';
import { parseRatio, type QuoteUsage } from '../../pricing/quote-usage.ts';
import type { QuoteAnswerBody } from './quote-schemas.ts';

/** Decimals of shares and scales, and of a target margin in per cent. */
export const SHARE_DIGITS = 6;
const PERCENT_DIGITS = 4;

/** Adjustments as they were asked for, shares as decimal text. */
export interface SnapshotAdjustments {
  modelSwaps?: { from: string; to: string }[] | undefined;
  cachedShare?: string | undefined;
  batchShare?: string | undefined;
  region?: string | undefined;
  deploymentType?: DeploymentType | undefined;
}

/**
 * All that a quote was computed from beside the price book, whose version is stored too: with both it can be computed
 * again whatever changed since. Users' own figures are not in it.
 */
export interface QuoteSnapshot {
  mode: QuoteMode;
  customerId: string | null;
  currency: string;
  at: Date;
  plan: { planId: string; name: string; versionId: string } | null;
  rateBasis: QuoteAnswerBody['rateBasis'];
  /** Rates that matched; null for a plan, whose stored version has them. */
  rates: QuotedRate[] | null;
  minimumAmountMinor: bigint;
  adjustments: SnapshotAdjustments;
  targetMarginPercent: string | null;
  usageBasis: QuoteAnswerBody['usageBasis'];
  groups: UsageGroup[];
  existing: QuoteUsage[];
  /** Why there is no range. */
  rangeReason: string | null;
  /** What a million tokens cost on average with the throughput bought by the hour; null where none is. */
  averagePicoUsdPerMillion: bigint | null;
  /** Throughput bought by the hour, where some of the usage would run on it; snapshots from before there was such have none. */
  capacities?: QuoteCapacity[];
}

/** What the quote is computed from. @param rates of the plan, or the snapshot's own */
export function toAnswerInput(
  snapshot: QuoteSnapshot,
  priceBook: PriceBook,
  rates: readonly QuotedRate[],
): AnswerInput {
  const { modelSwaps, cachedShare, batchShare, region, deploymentType } = snapshot.adjustments;
  return {
    groups: snapshot.groups,
    mode: snapshot.mode,
    existing: snapshot.existing,
    sellRates: rates,
    minimumAmountMinor: snapshot.minimumAmountMinor,
    currency: snapshot.currency,
    priceBook,
    at: snapshot.at,
    capacities: snapshot.capacities ?? [],
    adjustments: {
      ...(modelSwaps === undefined ? {} : { modelSwaps }),
      ...(cachedShare === undefined ? {} : { cachedShare: parseRatio(cachedShare, SHARE_DIGITS) }),
      ...(batchShare === undefined ? {} : { batchShare: parseRatio(batchShare, SHARE_DIGITS) }),
      ...(region === undefined ? {} : { region }),
      ...(deploymentType === undefined ? {} : { deploymentType }),
    },
    targetMargin:
      snapshot.targetMarginPercent === null
        ? null
        : parseRatio(snapshot.targetMarginPercent, PERCENT_DIGITS, 100n),
  };
}

/** A snapshot as JSON text, from which `readSnapshot` makes the same again. Whole numbers are objects with one key. */
export function writeSnapshot(snapshot: QuoteSnapshot): string {
  const { rates, groups, existing, minimumAmountMinor, averagePicoUsdPerMillion, capacities, ...plain } =
    snapshot;
  const figures = { groups, existing, minimumAmountMinor, averagePicoUsdPerMillion, capacities };
  const rateTexts = rates === null ? 'null' : `[${rates.map(writeRate).join(',')}]`;
  // Most of it holds no whole number and need not be looked through for one.
  return `${JSON.stringify(plain).slice(0, -1)},"rates":${rateTexts},${writeWhole(figures).slice(1)}`;
}

const textByRate = new WeakMap<QuotedRate, string>();

/** Rates are read-only, and many quotes have the same. */
function writeRate(rate: QuotedRate): string {
  const text = textByRate.get(rate) ?? writeWhole(rate);
  textByRate.set(rate, text);
  return text;
}

function writeWhole(value: object): string {
  return JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? { $whole: String(part) } : part));
}

export function readSnapshot(text: string): QuoteSnapshot {
  const snapshot = JSON.parse(text, (_key, value) =>
    typeof value?.$whole === 'string' ? BigInt(value.$whole) : value,
  ) as QuoteSnapshot & { at: string | Date };
  return { ...snapshot, at: new Date(snapshot.at) };
}
