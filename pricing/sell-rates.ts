import type { TokenType } from './tokens.ts';

/** What a reseller charges for some usage. `*` as model or feature matches any. */
export interface SellRate {
  /** What becomes one invoice line: usage under the same id is summed before it is rounded. */
  rateId: string;
  description: string;
  model: string;
  feature: string;
  tokenType: TokenType;
  /** Minor units for one token as decimal text; null when the price is tiered. */
  unitAmountDecimal: string | null;
}

/**
 * The rate for one kind of usage. A rate that names the model wins over one that names the feature, and one
 * that names both over either: the rule by which usage is bound to a meter.
 */
export function findSellRate(
  rates: readonly SellRate[],
  usage: { model: string; feature: string; tokenType: TokenType },
): SellRate | null {
  let best: SellRate | null = null;
  let bestRank = -1;
  for (const rate of rates) {
    if (rate.tokenType !== usage.tokenType) continue;
    if (rate.model !== '*' && rate.model !== usage.model) continue;
    if (rate.feature !== '*' && rate.feature !== usage.feature) continue;
    const rank = (rate.model === '*' ? 0 : 2) + (rate.feature === '*' ? 0 : 1);
    if (rank > bestRank) {
      best = rate;
      bestRank = rank;
    }
  }
  return best;
}
