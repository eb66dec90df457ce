import type { StandInNote } from '../prices/lookup.ts';
import { modelKey, nameKey } from '../usage/names.ts';
import type { TokenType } from '../usage/tokens.ts';
import type { RatePrice } from './rate-price.ts';

/** Which usage a rate is for, in any spelling of its names. `*` as model or feature matches any. */
export interface RateKey {
  model: string;
  feature: string;
  tokenType: TokenType;
}

/** What a reseller charges for some usage. */
export interface SellRate extends RateKey {
  /** What is billed together: usage under the same id is summed before it is priced. */
  rateId: string;
  description: string;
  price: RatePrice;
  /** What the price rests on where it marks up one that stands in for another; left out: nothing of the kind. */
  standIn?: StandInNote;
}

/**
 * The rate for one kind of usage. A rate that names the model wins over one that names the feature, and one
 * that names both over either: the rule by which usage is bound to a meter.
 */
export function findSellRate<Rate extends RateKey>(rates: readonly Rate[], usage: RateKey): Rate | null {
  const model = modelKey(usage.model);
  const feature = nameKey(usage.feature);
  let best: Rate | null = null;
  let bestRank = -1;
  for (const rate of rates) {
    if (rate.tokenType !== usage.tokenType) continue;
    if (rate.model !== '*' && modelKey(rate.model) !== model) continue;
    if (rate.feature !== '*' && nameKey(rate.feature) !== feature) continue;
    const rank = (rate.model === '*' ? 0 : 2) + (rate.feature === '*' ? 0 : 1);
    if (rank > bestRank) {
      best = rate;
      bestRank = rank;
    }
  }
  return best;
}

/** `findSellRate` for many questions about the same rates: one look at most for each kind of rate. */
export function indexSellRates<Rate extends RateKey>(
  rates: readonly Rate[],
): (usage: RateKey) => Rate | null {
  const byTokenType = new Map<TokenType, Map<string, Map<string, Rate>>>();
  for (const rate of rates) {
    const byModel = byTokenType.get(rate.tokenType) ?? new Map<string, Map<string, Rate>>();
    byTokenType.set(rate.tokenType, byModel);
    const model = modelKey(rate.model);
    const feature = nameKey(rate.feature);
    const byFeature = byModel.get(model) ?? new Map<string, Rate>();
    byModel.set(model, byFeature);
    if (!byFeature.has(feature)) byFeature.set(feature, rate);
  }
  return (usage) => {
    const byModel = byTokenType.get(usage.tokenType);
    const feature = nameKey(usage.feature);
    const named = byModel?.get(modelKey(usage.model));
    const any = byModel?.get('*');
    return named?.get(feature) ?? named?.get('*') ?? any?.get(feature) ?? any?.get('*') ?? null;
  };
}
