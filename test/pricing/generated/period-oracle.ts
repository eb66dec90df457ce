import type { Terms } from './customer.ts';
import type { RateSpec, TierSpec } from './plan-spec.ts';

const PICO = 10n ** 12n;

/**
 * The minor units of one line for each tier entered, from the numbers a plan was written from: neither the house's rating
 * nor the stand-in's is used, nor their reading of prices.
 * @param step to a multiple of which lines are rounded
 */
export function oracleLines(rate: RateSpec, used: bigint, step: bigint): bigint[] {
  const quantity = used > 0n ? used : 0n;
  const allowance: TierSpec[] =
    rate.includedTokens === null ? [] : [{ upTo: rate.includedTokens, unitPico: 0n, flatMinor: null }];
  const tiers = [...allowance, ...rate.tiers];
  const charge = (tokens: bigint, tier: TierSpec) =>
    ((2n * tokens * tier.unitPico + step * PICO) / (2n * step * PICO)) * step + (tier.flatMinor ?? 0n);
  if (rate.kind === 'volume') {
    const tier = tiers.find(({ upTo }) => upTo === null || upTo >= quantity);
    return tier === undefined ? [] : [charge(quantity, tier)];
  }
  const starts = tiers.map((_, index) => (index === 0 ? 0n : (tiers[index - 1]?.upTo ?? 0n)));
  return tiers.flatMap((tier, index) => {
    const start = starts[index] ?? 0n;
    if (index > 0 && quantity <= start) return [];
    const end = tier.upTo === null || tier.upTo > quantity ? quantity : tier.upTo;
    return [charge(end - start, tier)];
  });
}

/** What is lacking of a minimum, as far as it can be charged: never less than it lacks. */
export function oracleTopUp(minimumMinor: bigint, charged: bigint, step: bigint): bigint {
  const lacking = minimumMinor - charged;
  return lacking <= 0n ? 0n : ((lacking + step - 1n) / step) * step;
}

/**
 * What late usage costs: a price for each token by itself, of tiers what it makes their period cost more; in what can be charged,
 * and less what that period was topped up by.
 */
export function oracleLate(
  {
    segment,
    tokenCount,
    topUpLeft,
  }: { segment: { spec: RateSpec; used: bigint }; tokenCount: bigint; topUpLeft: bigint },
  step: bigint,
): bigint {
  const { spec, used } = segment;
  const costOf = (count: bigint) =>
    oracleLines(spec, count, 1n).reduce((total, amount) => total + amount, 0n);
  const billed = used > 0n ? used : 0n;
  const isPerToken = spec.kind === 'per_unit' && spec.includedTokens === null;
  const more = isPerToken ? costOf(tokenCount) : costOf(billed + tokenCount) - costOf(billed);
  const charged = more <= 0n ? 0n : ((2n * more + step) / (2n * step)) * step;
  return charged > topUpLeft ? charged - topUpLeft : 0n;
}

const WHOLE = 1_000_000n;

/**
 * What an invoice comes to, and what is owed of it: the coupon first, then billing credits on metered lines, then tax on what
 * is left, rounded over the whole invoice, then the customer's balance. What is used up is taken from the terms.
 * @param step of which what is taken off and put on is a multiple
 */
export function oracleTotals(
  terms: Terms,
  charged: { lines: bigint; metered: bigint },
  step: bigint,
): { total: bigint; due: bigint } {
  const share = (amount: bigint, millionths: bigint) =>
    ((2n * amount * millionths + step * WHOLE) / (2n * step * WHOLE)) * step;
  const granted = terms.grantMinor < charged.metered ? terms.grantMinor : charged.metered;
  terms.grantMinor -= granted;
  const net = charged.lines - share(charged.lines, terms.off) - granted;
  const total = net + share(net, terms.tax);
  const balance = terms.balanceMinor < total ? terms.balanceMinor : total;
  terms.balanceMinor -= balance;
  return { total, due: total - balance };
}
