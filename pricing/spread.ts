import { sumOf } from './statistics.ts';

/** How far 8 in 10 lie apart is widened by so much over the count of days that the spread was measured on (Student). */
export const STUDENT = 0.9;
/** A day is never taken to be more like the one before than this. */
const MOST_PERSISTENT = 0.8;
/** Beyond so many days nothing of a day is left in another, even at that. */
const LONGEST_MEMORY_DAYS = 30;

/** How alike days in a row are. */
export interface Memory {
  /** How much of a day's deviation the next day keeps, from 0. */
  next: number;
  /** How much of that each day further on keeps: more than `next` where part of a day is its own chance. */
  further: number;
}

/** How far a measured likeness may be off by chance, squared, in some eight weeks. */
const LIKENESS_ERROR = 0.01;

/** Measured, and put right for what a short history takes from it; `further` as far as it is told from chance, else as `next`. */
export function measureMemory(deviations: readonly number[]): Memory {
  const next = likenessAt(deviations, 1);
  if (next === 0) return { next, further: 0 };
  const further = (next * LIKENESS_ERROR + likenessAt(deviations, 2) * next) / (LIKENESS_ERROR + next * next);
  return { next, further: Math.min(MOST_PERSISTENT, further) };
}

function likenessAt(deviations: readonly number[], distance: number): number {
  const count = deviations.length;
  const square = sumOf(deviations.map((value) => value * value));
  if (square === 0) return 0;
  const products = deviations.map((value, place) => value * (deviations[place - distance] ?? 0));
  // A short history takes (1 + 3 x) / n of it, on average.
  const measured = ((sumOf(products) / square) * count + 1) / Math.max(1, count - 3);
  return Math.max(0, Math.min(MOST_PERSISTENT, measured));
}

/** How many times wider (squared) the sum of so many days in a row is than if they were independent. */
export function sumInflation({ next, further }: Memory, dayCount: number): number {
  let inflation = 1;
  let kept = next;
  for (let distance = 1; distance < Math.min(dayCount, LONGEST_MEMORY_DAYS); distance += 1) {
    inflation += 2 * (1 - distance / dayCount) * kept;
    kept *= further;
  }
  return inflation;
}

/** On how many independent days a spread was measured: fewer where some stand far out, and where days are alike. */
export function effectiveFreedom(deviations: readonly number[], freedom: number, inflation: number): number {
  const squares = deviations.map((value) => value * value);
  const square = sumOf(squares);
  if (square === 0) return freedom;
  const kurtosis = (sumOf(squares.map((value) => value * value)) * deviations.length) / (square * square);
  return Math.max(2, (2 * freedom) / Math.max(2, kurtosis - 1) / inflation);
}
