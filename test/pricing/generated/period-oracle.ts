import type { Terms } from './customer.ts';
import type { RateSpec, TierSpec } from './plan-spec.ts';

const PICO = 10n ** 12n;

/**
 * The minor units of one line for each tier entered, from the numbers a plan was written from: neither the house's rating
 * nor the stand-in's is used, nor their reading of prices.
 * @param step to a multiple of which lines are rounded
 */
function oracleLines(rate: RateSpec, used: bigint, step: bigint): bigint[] {
  return oracleParts(rate, used, step).map((parts) => parts.reduce((total, amount) => total + amount, 0n));
}

/** The same with a tier's flat amount by itself, as it stands on the invoice. */
export function oracleParts(rate: RateSpec, used: bigint, step: bigint): bigint[][] {
  const quantity = used > 0n ? used : 0n;
  const allowance: TierSpec[] =
    rate.includedTokens === null ? [] : [{ upTo: rate.includedTokens, unitPico: 0n, flatMinor: null }];
  const tiers = [...allowance, ...rate.tiers];
  const charge = (units: bigint, tier: TierSpec) => [
    ((2n * units * tier.unitPico + step * PICO) / (2n * step * PICO)) * step,
    ...(tier.flatMinor === null ? [] : [tier.flatMinor]),
  ];
  if (rate.package !== null) {
    const { size, round } = rate.package;
    const whole = quantity / size + (round === 'up' && quantity % size > 0n ? 1n : 0n);
    return tiers.map((tier) => charge(whole, tier));
  }
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
    billed,
    topUpLeft,
  }: { segment: { spec: RateSpec }; tokenCount: bigint; billed: bigint; topUpLeft: bigint },
  step: bigint,
): bigint {
  const { spec } = segment;
  const costOf = (count: bigint) =>
    oracleLines(spec, count, 1n).reduce((total, amount) => total + amount, 0n);
  const isPerToken = spec.kind === 'per_unit' && spec.includedTokens === null;
  const more = isPerToken ? costOf(tokenCount) : costOf(billed + tokenCount) - costOf(billed);
  const charged = more <= 0n ? 0n : ((2n * more + step) / (2n * step)) * step;
  return charged > topUpLeft ? charged - topUpLeft : 0n;
}

const WHOLE = 1_000_000n;

export interface OracleLine {
  amount: bigint;
  /** The price whose credits it takes. */
  priceId: string | null;
}

/**
 * What an invoice comes to, and what is owed of it: the coupon first, over the lines in proportion; then billing credits, those
 * that are in effect when the period ends, in their order and line by line; then tax on what is left, rounded for each line
 * or over the whole invoice; then the customer's balance. What is used up is taken from the terms.
 * @param lines as they stand on the invoice
 * @param step of which what is taken off and put on is a multiple
 */
export function oracleTotals(
  terms: Terms,
  lines: readonly OracleLine[],
  { step, taxRounding, end }: { step: bigint; taxRounding: 'line' | 'invoice'; end: Date },
): { total: bigint; due: bigint } {
  const share = (amount: bigint, millionths: bigint) =>
    ((2n * amount * millionths + step * WHOLE) / (2n * step * WHOLE)) * step;
  const whole = add(lines.map(({ amount }) => amount));
  const off = share(whole, terms.off);
  const shares = lines.map(({ amount }) => {
    const exact = whole === 0n ? 0n : amount * off;
    const down = whole === 0n ? 0n : (exact / (whole * step)) * step;
    return { down, lost: exact - down * whole };
  });
  let missing = (off - add(shares.map(({ down }) => down))) / step;
  for (const one of shares.toSorted((a, b) => (a.lost < b.lost ? 1 : a.lost > b.lost ? -1 : 0))) {
    if (missing <= 0n) break;
    one.down += step;
    missing -= 1n;
  }
  const nets = lines.map(({ amount }, index) => amount - (shares[index]?.down ?? 0n));
  for (const grant of terms.grants) {
    if (end < grant.from || (grant.until !== null && end >= grant.until)) continue;
    for (const [index, { priceId }] of lines.entries()) {
      if (priceId === null || (grant.priceId !== null && grant.priceId !== priceId)) continue;
      const net = nets[index] ?? 0n;
      const taken = net < grant.leftMinor ? net : grant.leftMinor;
      nets[index] = net - taken;
      grant.leftMinor -= taken;
    }
  }
  const taxed = taxRounding === 'line' ? nets : [add(nets)];
  const total = add(nets) + add(taxed.map((net) => share(net, terms.tax)));
  const balance = terms.balanceMinor < total ? terms.balanceMinor : total;
  terms.balanceMinor -= balance;
  return { total, due: total - balance };
}

const add = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);
