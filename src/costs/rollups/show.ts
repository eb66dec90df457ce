import { formatPico, formatPicoMinor } from '../../../pricing/money.ts';
import type { CostFigures, RollupFigures, RollupMoney } from './query.ts';
import type { ShownFigures } from './schemas.ts';

/** Known cost, without capacity that nobody is charged for. */
export function knownCostOf(
  figures: Pick<CostFigures, 'tokenCostPicoUsd' | 'provisionedCostPicoUsd'>,
): bigint {
  return figures.tokenCostPicoUsd + figures.provisionedCostPicoUsd;
}

/** Revenue less cost in US dollars; null while some of either is unknown. Usage that is nobody's brings nothing. */
export function marginOf(figures: RollupMoney): bigint | null {
  const isUnrated = figures.currencies.some(({ unratedTokenCount }) => unratedTokenCount !== 0n);
  if (isUnrated || figures.unknown.length > 0 || figures.revenuePicoUsd === null) return null;
  return figures.revenuePicoUsd - knownCostOf(figures);
}

/** The figures as the API has them. */
export function showFigures(figures: RollupFigures): ShownFigures {
  const known = knownCostOf(figures);
  const orNull = (picoUsd: bigint | null) => (picoUsd === null ? null : formatPico(picoUsd));
  return {
    tokenCount: String(figures.tokenCount),
    tokenCounts: Object.fromEntries(
      Object.entries(figures.tokenCounts).map(([tokenType, tokenCount]) => [tokenType, String(tokenCount)]),
    ),
    requestCount: String(figures.requestCount),
    activeUserCount: String(figures.activeUserCount),
    cost: figures.unknown.length > 0 ? null : formatPico(known),
    knownCost: formatPico(known),
    tokenCost: formatPico(figures.tokenCostPicoUsd),
    provisionedCost: formatPico(figures.provisionedCostPicoUsd),
    unknown: figures.unknown.map(({ reason, tokenCount, between }) => ({
      reason,
      tokenCount: String(tokenCount),
      ...(between === null
        ? {}
        : { atLeast: formatPico(between.leastPicoUsd), atMost: formatPico(between.mostPicoUsd) }),
    })),
    unpricedTokenCount: String(figures.unpricedTokenCount),
    unattributedTokenCount: String(figures.unattributedTokenCount),
    revenue: figures.currencies.map(({ currency, revenuePicoMinor, unratedTokenCount }) => ({
      currency,
      amount: formatPicoMinor(revenuePicoMinor, currency),
      unratedTokenCount: String(unratedTokenCount),
    })),
    revenueUsd: orNull(figures.revenuePicoUsd),
    marginUsd: orNull(marginOf(figures)),
    knownMarginUsd: orNull(figures.knownMarginPicoUsd),
    knownMarginTokenCount: String(figures.knownMarginTokenCount),
    costBefore: orNull(figures.costBeforePicoUsd),
    overhead: formatPico(figures.idleCostPicoUsd),
  };
}
