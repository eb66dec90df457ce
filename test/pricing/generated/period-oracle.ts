import type { PlanSpec, RateSpec, TierSpec } from './plan-spec.ts';

const CENT = 10n ** 12n;

/**
 * The cents of one line for each tier entered, from the numbers a plan was written from: neither the house's rating
 * nor the stand-in's is used, nor their reading of prices.
 */
export function oracleLines(rate: RateSpec, used: bigint): bigint[] {
  const quantity = used > 0n ? used : 0n;
  const allowance: TierSpec[] =
    rate.includedTokens === null ? [] : [{ upTo: rate.includedTokens, unitPico: 0n, flatCents: null }];
  const tiers = [...allowance, ...rate.tiers];
  const cents = (tokens: bigint, tier: TierSpec) =>
    (2n * tokens * tier.unitPico + CENT) / (2n * CENT) + (tier.flatCents ?? 0n);
  if (rate.kind === 'volume') {
    const tier = tiers.find(({ upTo }) => upTo === null || upTo >= quantity);
    return tier === undefined ? [] : [cents(quantity, tier)];
  }
  const starts = tiers.map((_, index) => (index === 0 ? 0n : (tiers[index - 1]?.upTo ?? 0n)));
  return tiers.flatMap((tier, index) => {
    const start = starts[index] ?? 0n;
    if (index > 0 && quantity <= start) return [];
    const end = tier.upTo === null || tier.upTo > quantity ? quantity : tier.upTo;
    return [cents(end - start, tier)];
  });
}

/** What the whole period costs, the minimum included. */
export function oracleTotal(plan: PlanSpec, used: readonly bigint[]): bigint {
  const lines = plan.rates.flatMap((rate, index) => oracleLines(rate, used[index] ?? 0n));
  const sum = lines.reduce((total, cents) => total + cents, 0n);
  return sum < plan.minimumCents ? plan.minimumCents : sum;
}
