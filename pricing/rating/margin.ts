import { divideUp, formatDecimal } from '../money.ts';
import type { TokenType } from '../usage/tokens.ts';
import { allotLine } from './allot-revenue.ts';
import { rateUsage } from './rate-usage.ts';
import type { SellRate } from './sell-rates.ts';

/** Tokens of one kind in one calendar month, and what they cost us. */
export interface MarginEntry {
  monthStart: Date;
  model: string;
  feature: string;
  tokenType: TokenType;
  tokenCount: bigint;
  knownCostPicoUsd: bigint;
  unknownCostTokenCount: bigint;
  /** Beside these tokens there were others that nobody counted: what was written to the cache. */
  isCostPartial: boolean;
}

export interface MarginSums {
  tokenCount: bigint;
  /** Pico of the minor unit; of the usage that has a rate. */
  ratedRevenuePicoMinor: bigint;
  unratedTokenCount: bigint;
  knownCostPicoUsd: bigint;
  unknownCostTokenCount: bigint;
  isCostPartial: boolean;
  /** Of the tokens whose revenue and cost are both known, exact. */
  known: KnownMargin;
}

/** What is known of both, where something of the whole is not. */
export interface KnownMargin {
  tokenCount: bigint;
  /** Pico of the minor unit. */
  revenuePicoMinor: bigint;
  costPicoUsd: bigint;
}

const NOTHING_KNOWN: KnownMargin = { tokenCount: 0n, revenuePicoMinor: 0n, costPicoUsd: 0n };

export const NO_SUMS: MarginSums = {
  tokenCount: 0n,
  ratedRevenuePicoMinor: 0n,
  unratedTokenCount: 0n,
  knownCostPicoUsd: 0n,
  unknownCostTokenCount: 0n,
  isCostPartial: false,
  known: NOTHING_KNOWN,
};

/** Pico units in a minor unit. */
const PICO = 10n ** 12n;

export function addSums(left: MarginSums, right: MarginSums): MarginSums {
  return {
    tokenCount: left.tokenCount + right.tokenCount,
    ratedRevenuePicoMinor: left.ratedRevenuePicoMinor + right.ratedRevenuePicoMinor,
    unratedTokenCount: left.unratedTokenCount + right.unratedTokenCount,
    knownCostPicoUsd: left.knownCostPicoUsd + right.knownCostPicoUsd,
    unknownCostTokenCount: left.unknownCostTokenCount + right.unknownCostTokenCount,
    isCostPartial: left.isCostPartial || right.isCostPartial,
    known: addKnown(left.known, right.known),
  };
}

export function addKnown(left: KnownMargin, right: KnownMargin): KnownMargin {
  return {
    tokenCount: left.tokenCount + right.tokenCount,
    revenuePicoMinor: left.revenuePicoMinor + right.revenuePicoMinor,
    costPicoUsd: left.costPicoUsd + right.costPicoUsd,
  };
}

/** The tokens of a whole that are not among the known ones, in per cent with two decimals, rounded up: never 0 while there are some. */
export function unknownPercent(tokenCount: bigint, known: bigint): string | null {
  if (tokenCount <= 0n) return null;
  const unknownTokenCount = tokenCount - known;
  const hundredths = unknownTokenCount <= 0n ? 0n : divideUp(unknownTokenCount * 10_000n, tokenCount);
  return formatDecimal(hundredths, 2, 2);
}

/** Of an entry with a revenue, what has a cost too; a part of its tokens has its share of the revenue. */
function knownOf(entry: MarginEntry, amountPicoMinor: bigint): KnownMargin {
  const { tokenCount, unknownCostTokenCount: unknown, knownCostPicoUsd: costPicoUsd, isCostPartial } = entry;
  if (isCostPartial) return NOTHING_KNOWN;
  if (unknown === 0n) return { tokenCount, revenuePicoMinor: amountPicoMinor, costPicoUsd };
  const known = tokenCount - unknown;
  if (unknown < 0n || known <= 0n) return NOTHING_KNOWN;
  return { tokenCount: known, revenuePicoMinor: (amountPicoMinor * known) / tokenCount, costPicoUsd };
}

/**
 * What a customer's usage brings and costs, as invoices of calendar months round it: in all, and by feature, which sums up
 * to it. A rate that several features share is divided among them by tokens.
 */
export function rateMargins(
  entries: readonly MarginEntry[],
  rates: readonly SellRate[],
): { total: MarginSums; byFeature: Map<string, MarginSums> } {
  const byFeature = new Map<string, MarginSums>();
  const addTo = (feature: string, sums: Partial<MarginSums>) =>
    byFeature.set(feature, addSums(byFeature.get(feature) ?? NO_SUMS, { ...NO_SUMS, ...sums }));
  let total = NO_SUMS;
  for (const month of Map.groupBy(entries, (entry) => entry.monthStart.getTime()).values()) {
    const rated = rateUsage(month, rates);
    for (const { knownCostPicoUsd, unknownCostTokenCount, isCostPartial, tokenCount, feature } of month) {
      const sums = { ...NO_SUMS, tokenCount, knownCostPicoUsd, unknownCostTokenCount, isCostPartial };
      total = addSums(total, sums);
      addTo(feature, sums);
    }
    total = addSums(total, {
      ...NO_SUMS,
      ratedRevenuePicoMinor: rated.totals.ratedAmountMinor * PICO,
      unratedTokenCount: rated.totals.unratedTokenCount,
    });
    for (const { usage } of rated.unrated) addTo(usage.feature, { unratedTokenCount: usage.tokenCount });
    for (const line of rated.lines) {
      for (const { usage, amountPicoMinor, exactPicoMinor } of allotLine(line)) {
        // Corrections that leave no honest split leave the revenue of these tokens unknown.
        if (amountPicoMinor === null || exactPicoMinor === null)
          addTo(usage.feature, { unratedTokenCount: usage.tokenCount });
        else {
          const known = knownOf(usage, exactPicoMinor);
          addTo(usage.feature, { ratedRevenuePicoMinor: amountPicoMinor, known });
          total = addSums(total, { ...NO_SUMS, known });
        }
      }
    }
  }
  return { total, byFeature };
}
