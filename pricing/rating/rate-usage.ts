import { exactAmount, prepareRate, type RatedLine, rateQuantity, splitAmount } from './rating.ts';
import { indexSellRates, type RateKey, type SellRate } from './sell-rates.ts';

/** Tokens of one kind. Corrections may make a count negative. */
export interface RateableUsage extends RateKey {
  tokenCount: bigint;
}

/** What one entry of the usage has in a line. */
interface RatedPart<Usage extends RateableUsage> {
  usage: Usage;
  /**
   * Exact share of the line, in pico of the minor unit; the shares sum to the line's. Under tiers it is by
   * tokens. Null where corrections leave no honest split.
   */
  amountPicoMinor: bigint | null;
}

/** All usage under one rate: what is summed, priced and rounded together. */
export interface RatedUsageLine<Usage extends RateableUsage> {
  rate: SellRate;
  /** Never negative: corrections that outweigh the usage are billed as none. */
  quantity: bigint;
  /** As Stripe's invoice shows them; one for each tier used when the price is graduated. */
  tierLines: RatedLine[];
  /** Exact, in pico of the minor unit. */
  amountPicoMinor: bigint;
  /** Sum of the tier lines, each of which was rounded once. */
  amountMinor: bigint;
  /** Of the tokens that the price includes at nothing; null when it includes none. */
  allowance: { includedTokenCount: bigint; usedTokenCount: bigint } | null;
  parts: RatedPart<Usage>[];
}

interface UnratedUsage<Usage extends RateableUsage> {
  usage: Usage;
  reason: 'no_sell_rate';
}

export interface RatedUsage<Usage extends RateableUsage> {
  /** In the order of their first usage. */
  lines: RatedUsageLine<Usage>[];
  /** Usage that no rate names: it has no price, which is not the same as being free. */
  unrated: UnratedUsage<Usage>[];
  minimumAmountMinor: bigint;
  /** What the lines lack of the minimum. While usage is unrated it may still fall. */
  minimumTopUpMinor: bigint;
  totals: {
    tokenCount: bigint;
    unratedTokenCount: bigint;
    /** Exact sum of the lines, in pico of the minor unit, without the minimum. */
    ratedAmountPicoMinor: bigint;
    /** Sum of the lines as an invoice rounds them, without the minimum. */
    ratedAmountMinor: bigint;
    /** Lines and what they lack of the minimum; null while some usage has no price. */
    amountMinor: bigint | null;
  };
}

/**
 * What usage of one billing period is charged: the one function behind rollups, previews, quotes, simulations
 * and checks of invoices. All of it is in the currency of the rates.
 * @throws RangeError when a price is malformed or the minimum is negative
 */
export function rateUsage<Usage extends RateableUsage>(
  usage: readonly Usage[],
  rates: readonly SellRate[],
  minimumAmountMinor = 0n,
): RatedUsage<Usage> {
  if (minimumAmountMinor < 0n) throw new RangeError('a minimum is never negative');
  const findRate = finderOf(rates);
  const groups = new Map<string, { rate: SellRate; usage: Usage[] }>();
  const unrated: UnratedUsage<Usage>[] = [];
  let tokenCount = 0n;
  let unratedTokenCount = 0n;
  for (const entry of usage) {
    tokenCount += entry.tokenCount;
    const rate = findRate(entry);
    if (rate === null) {
      // Nothing used needs no price.
      if (entry.tokenCount === 0n) continue;
      unrated.push({ usage: entry, reason: 'no_sell_rate' });
      unratedTokenCount += entry.tokenCount;
      continue;
    }
    const group = groups.get(rate.rateId);
    if (group === undefined) groups.set(rate.rateId, { rate, usage: [entry] });
    else group.usage.push(entry);
  }
  const lines: RatedUsageLine<Usage>[] = [];
  let ratedAmountPicoMinor = 0n;
  let ratedAmountMinor = 0n;
  for (const group of groups.values()) {
    const line = rateLine(group.rate, group.usage);
    ratedAmountPicoMinor += line.amountPicoMinor;
    ratedAmountMinor += line.amountMinor;
    lines.push(line);
  }
  const minimumTopUpMinor =
    minimumAmountMinor > ratedAmountMinor ? minimumAmountMinor - ratedAmountMinor : 0n;
  return {
    lines,
    unrated,
    minimumAmountMinor,
    minimumTopUpMinor,
    totals: {
      tokenCount,
      unratedTokenCount,
      ratedAmountPicoMinor,
      ratedAmountMinor,
      amountMinor: unrated.length > 0 ? null : ratedAmountMinor + minimumTopUpMinor,
    },
  };
}

function rateLine<Usage extends RateableUsage>(
  rate: SellRate,
  usage: readonly Usage[],
): RatedUsageLine<Usage> {
  let total = 0n;
  for (const entry of usage) total += entry.tokenCount;
  const quantity = total < 0n ? 0n : total;
  const tierLines = rateQuantity(quantity, rate.price);
  let amountPicoMinor = 0n;
  let amountMinor = 0n;
  for (const line of tierLines) {
    amountPicoMinor += line.amountPicoMinor;
    amountMinor += line.amountMinor;
  }
  return {
    rate,
    quantity,
    tierLines,
    amountPicoMinor,
    amountMinor,
    allowance: allowanceOf(rate, quantity),
    parts: partsOf(rate, usage, total, amountPicoMinor),
  };
}

function partsOf<Usage extends RateableUsage>(
  rate: SellRate,
  usage: readonly Usage[],
  total: bigint,
  amountPicoMinor: bigint,
): RatedPart<Usage>[] {
  const [only] = usage;
  if (usage.length === 1 && only !== undefined) return [{ usage: only, amountPicoMinor }];
  const hasSplit = total > 0n && usage.every((entry) => entry.tokenCount >= 0n);
  if (!hasSplit) {
    const isIdle = amountPicoMinor === 0n && usage.every((entry) => entry.tokenCount === 0n);
    return usage.map((entry) => ({ usage: entry, amountPicoMinor: isIdle ? 0n : null }));
  }
  if (rate.price.kind === 'per_unit') {
    const amountOf = prepareRate(rate.price);
    return usage.map((entry) => ({ usage: entry, amountPicoMinor: amountOf(entry.tokenCount) }));
  }
  const amounts = splitAmount(
    amountPicoMinor,
    usage.map((entry) => entry.tokenCount),
  );
  return usage.map((entry, index) => ({ usage: entry, amountPicoMinor: amounts[index] ?? 0n }));
}

/** An included allowance is a first tier at nothing. */
function allowanceOf({ price }: SellRate, quantity: bigint): RatedUsageLine<RateableUsage>['allowance'] {
  if (price.kind !== 'tiered' || price.mode !== 'graduated') return null;
  const includedTokenCount = price.tiers[0]?.upTo ?? null;
  if (includedTokenCount === null || exactAmount(includedTokenCount, price) !== 0n) return null;
  const usedTokenCount = quantity < includedTokenCount ? quantity : includedTokenCount;
  return { includedTokenCount, usedTokenCount };
}

/** Rates are read-only and live long: each list is indexed once. */
const finderByRates = new WeakMap<readonly SellRate[], (usage: RateKey) => SellRate | null>();

function finderOf(rates: readonly SellRate[]): (usage: RateKey) => SellRate | null {
  const known = finderByRates.get(rates);
  if (known !== undefined) return known;
  const finder = indexSellRates(rates);
  finderByRates.set(rates, finder);
  return finder;
}
