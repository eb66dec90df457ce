import type { RateableUsage } from '../../../pricing/rating/rate-usage.ts';
import type { SellRate } from '../../../pricing/rating/sell-rates.ts';
import type { Draws } from '../../simulation/draws.ts';
import type { RateSpec } from './plan-spec.ts';

/** None, a little, much, or just where a tier ends; now and then a correction. */
export function drawCounts(draws: Draws, rate: RateSpec): bigint[] {
  if (draws.chance(0.15)) return [];
  const ends = [
    rate.package === null ? null : rate.package.size * 3n,
    rate.includedTokens,
    ...rate.tiers.map((tier) => tier.upTo),
  ].filter((end) => end != null);
  const [end] = draws.shuffle(ends);
  if (end !== undefined && draws.chance(0.3)) return [end + BigInt(draws.between(-1, 1))];
  const counts = [BigInt(draws.between(1, draws.pick([10, 100_000, 40_000_000])))];
  if (draws.chance(0.3)) counts.push(BigInt(draws.between(0, 1_000_000)));
  if (draws.chance(0.1)) counts.push(BigInt(-draws.between(1, 2_000_000)));
  return counts;
}

export const eventNameOf = ({
  model,
  feature,
  tokenType,
}: Pick<SellRate, 'model' | 'feature' | 'tokenType'>) =>
  [model, feature, tokenType].map((part) => (part === '*' ? 'any' : part)).join('_');

/** Usage that no other rate can claim: names that no rate has, where the rate is for any. */
export function keyUnder({
  model,
  feature,
  tokenType,
}: Pick<SellRate, 'model' | 'feature' | 'tokenType'>): Omit<RateableUsage, 'tokenCount'> {
  return { model: model === '*' ? 'phi-4' : model, feature: feature === '*' ? 'search' : feature, tokenType };
}
