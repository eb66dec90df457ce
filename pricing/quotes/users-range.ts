import { drawEvenly } from '../draws.ts';
import { effectiveFreedom, STUDENT } from '../spread.ts';
import { rankOf, sumOf } from '../statistics.ts';
import type { Ratio } from './usage.ts';

/** How many ways are drawn in which as many users may turn out. */
const DRAW_COUNT = 400;
/** Of more users than these a draw is scaled: together they are hardly told from a normal sum. */
const MOST_DRAWN_USERS = 100;
/** No sample is taken to use so much more than all do that all use less than this share of it. */
const LEAST_SHARE = 0.3;
const MILLION = 1_000_000;

/** How much less and more than expected it may be, as factors of the expected usage: low <= 1 <= high. */
export interface UsageRange {
  low: Ratio;
  high: Ratio;
  /** So many of 100 outcomes lie within; left out where no such thing is said. */
  heldPercent?: 80;
}

/** What is expected is the mean, which a few heavy users can lift over most others: the range still holds it. */
export function aroundOne(low: Ratio, high: Ratio): UsageRange {
  const one = { numerator: 1n, denominator: 1n };
  return {
    low: low.numerator > low.denominator ? one : low,
    high: high.numerator < high.denominator ? one : high,
  };
}

/**
 * From p10 to p90 of what so many further users use together, as shares of so many times the mean of those measured: as they
 * are drawn among the measured, over how far the measured may be off as a sample, drawn alike. In millionths; floats until
 * then (`../statistics.ts`).
 * @param measured what each user measured used; not all of them nothing
 */
export function rangeOfUsers(measured: readonly bigint[], count: bigint): UsageRange {
  const userCount = measured.length;
  const values = measured.map(Number);
  const mean = sumOf(values) / userCount;
  const deviations = values.map((value) => value / mean - 1);
  const drawnCount = Math.min(Number(count), MOST_DRAWN_USERS);
  const sampleCount = Math.min(userCount, MOST_DRAWN_USERS);
  const drawn = drawEvenly(userCount, drawnCount + sampleCount, DRAW_COUNT);
  const freedom = Math.max(1, userCount - 1);
  // The error alone is widened: its spread was measured from the sample's own mean, and of few, while users drawn are users.
  const widening = (1 + STUDENT / effectiveFreedom(deviations, freedom, 1)) * Math.sqrt(userCount / freedom);
  const chanceOfOne = 1 / Math.sqrt(drawnCount) / Math.sqrt(Number(count));
  const errorOfOne = widening / Math.sqrt(sampleCount) / Math.sqrt(userCount);
  const totals = Float64Array.from({ length: DRAW_COUNT }, (_, draw) => {
    let [chance, error] = [0, 0];
    for (const [turn, places] of drawn.entries()) {
      const deviation = deviations[places[draw] ?? 0] ?? 0;
      if (turn < drawnCount) chance += deviation * chanceOfOne;
      else error += deviation * errorOfOne;
    }
    return Math.max(0, 1 + chance) / Math.max(LEAST_SHARE, 1 + error);
  }).sort();
  const at = (percent: number): Ratio => ({
    numerator: BigInt(Math.round((totals[rankOf(DRAW_COUNT, percent)] ?? 1) * MILLION)),
    denominator: BigInt(MILLION),
  });
  return { ...aroundOne(at(10), at(90)), heldPercent: 80 };
}

/**
 * The ranges of features of which each may come out low or high by itself: drawn in, so that all low ends together are the
 * low end of the sum, and all high ends its high end.
 * @param parts each range with what is expected of it, all in one unit
 */
export function drawTogether(parts: readonly { range: UsageRange; expected: number }[]): UsageRange[] {
  if (parts.length < 2) return parts.map(({ range }) => range);
  const narrowed = (end: 'low' | 'high') => {
    const widths = parts.map(({ range, expected }) => {
      return expected * Math.abs(Number(range[end].numerator) / Number(range[end].denominator) - 1);
    });
    const together = Math.sqrt(sumOf(widths.map((width) => width * width)));
    const share = together / Math.max(sumOf(widths), Number.MIN_VALUE);
    return parts.map(({ range }): Ratio => {
      const { numerator, denominator } = range[end];
      const away = Math.round(Number(numerator - denominator) * share);
      return { numerator: denominator + BigInt(away), denominator };
    });
  };
  const [low, high] = [narrowed('low'), narrowed('high')];
  return parts.map(({ range }, place) => ({
    ...range,
    low: low[place] ?? range.low,
    high: high[place] ?? range.high,
  }));
}
