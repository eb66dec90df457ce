import { divideHalfUp } from '../money.ts';
import type { QuoteLine } from './quote.ts';

const MILLION = 1_000_000n;

/**
 * What a million tokens cost on average where throughput is bought by the hour: tokens of the models it serves at what
 * they cost on average, of others at list prices.
 * @param averages of models, what so many tokens cost in pico-USD
 * @returns pico-USD; null when no line is of such a model, or another line has no price
 */
export function averageWithProvisioned(
  lines: readonly QuoteLine[],
  averages: ReadonlyMap<string, { costPicoUsd: bigint; tokenCount: bigint }>,
): bigint | null {
  const added = lines.filter((line) => line.tokenCount > 0n);
  if (!added.some((line) => averages.has(line.model))) return null;
  let cost = 0n;
  let tokenCount = 0n;
  for (const line of added) {
    const average = averages.get(line.model);
    if (average === undefined && line.picoUsdPerToken === null) return null;
    cost +=
      average === undefined
        ? line.tokenCount * (line.picoUsdPerToken ?? 0n)
        : divideHalfUp(line.tokenCount * average.costPicoUsd, average.tokenCount);
    tokenCount += line.tokenCount;
  }
  return divideHalfUp(cost * MILLION, tokenCount);
}
