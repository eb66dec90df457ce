import type { RateableUsage, RatedUsageLine } from './rate-usage.ts';

/** Pico units in a minor unit. */
const PICO = 10n ** 12n;

/** What one entry of the usage has in a line; pico of the minor unit, null where the line has no honest split. */
interface AllottedPart<Usage extends RateableUsage> {
  usage: Usage;
  /** As the invoice charges it. */
  amountPicoMinor: bigint | null;
  /** Before it is rounded. */
  exactPicoMinor: bigint | null;
}

/**
 * What an invoice charges for a line, by its parts: each has its exact share, and the largest of them what rounding adds or
 * takes, so that parts sum up to invoices.
 */
export function allotLine<Usage extends RateableUsage>(line: RatedUsageLine<Usage>): AllottedPart<Usage>[] {
  const rounding = line.amountMinor * PICO - line.amountPicoMinor;
  const largest = line.parts.reduce(
    (best, { amountPicoMinor }, index) =>
      (amountPicoMinor ?? -1n) > (line.parts[best]?.amountPicoMinor ?? -1n) ? index : best,
    0,
  );
  return line.parts.map(({ usage, amountPicoMinor: exact }, index) => ({
    usage,
    amountPicoMinor: exact === null || index !== largest ? exact : exact + rounding,
    exactPicoMinor: exact,
  }));
}

/** The average of a month's tokens of one kind: each brings whole pico units, and what that leaves is told beside them. */
export function averageRevenue(
  tokenCount: bigint,
  amountPicoMinor: bigint,
): { unitPicoMinor: bigint; remainderPicoMinor: bigint } {
  const unitPicoMinor = tokenCount > 0n ? amountPicoMinor / tokenCount : 0n;
  return { unitPicoMinor, remainderPicoMinor: amountPicoMinor - unitPicoMinor * tokenCount };
}
