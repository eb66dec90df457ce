import { divideUp, formatDecimal } from '../money.ts';

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
