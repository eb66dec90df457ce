import type { TokenType } from '../usage/tokens.ts';
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
}

export const NO_SUMS: MarginSums = {
  tokenCount: 0n,
  ratedRevenuePicoMinor: 0n,
  unratedTokenCount: 0n,
  knownCostPicoUsd: 0n,
  unknownCostTokenCount: 0n,
  isCostPartial: false,
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
  };
}

/**
 * What a customer's usage brings and costs: in all, as invoices of calendar months round it, and by feature, exact.
 * A rate that several features share is divided among them by tokens.
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
    for (const { parts } of rated.lines) {
      for (const { usage, amountPicoMinor } of parts) {
        // Corrections that leave no honest split leave the revenue of these tokens unknown.
        if (amountPicoMinor === null) addTo(usage.feature, { unratedTokenCount: usage.tokenCount });
        else addTo(usage.feature, { ratedRevenuePicoMinor: amountPicoMinor });
      }
    }
  }
  return { total, byFeature };
}
