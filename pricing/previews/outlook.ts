import { effectiveFreedom, measureMemory, STUDENT, sumInflation } from '../spread.ts';
import { sumOf } from '../statistics.ts';
import { type ComingDay, dayNumberOf, weekdayOf } from './days.ts';
import { fitGrowth, type Growth, growthAt, growthLiftAt, growthSlopeAt, paceSlopeAt } from './growth.ts';
import { estimateLevels, type Levels } from './levels.ts';

/** What has fallen to less than this share tells nothing of its weekdays any more, and is not divided by it. */
const LEAST_GROWN = 0.05;
/** Fewer days than these tell no growth of their own. */
const LEAST_DAYS = 14;

/** What a line's known days tell of those to come, in tokens: estimates, and therefore floats. */
export interface Outlook {
  /** Of all days to come. */
  expected: number;
  /** The same where growth is as is likeliest: half of what its error makes possible lies above. */
  middle: number;
  /** Place of the first known day that speaks of the line. */
  start: number;
  /** By known day from then on: how far the line was from what was to be expected of it, in `weights`. */
  deviations: readonly number[];
  /** By day to come: how many tokens a deviation of one is in it, chance made as wide as days added are. */
  weights: Float64Array;
  /** How wide the error of `expected` is, as a share of it, for a deviation of one. */
  doubt: number;
}

/** Of a line that is not used. */
export const NOTHING_TO_COME: Outlook = {
  expected: 0,
  middle: 0,
  start: 0,
  deviations: [],
  weights: new Float64Array(),
  doubt: 0,
};

/** A line's tokens of each known day, in order; never below zero. */
export interface KnownDays {
  days: readonly number[];
  tokens: readonly number[];
}

/**
 * Means by weekday, growth as far as it is told from chance, and how wide both chance and the error of estimation are. The early
 * days of what has fallen to next to nothing outweigh those that tell what is left of it: then the later half speaks alone.
 * @param start place of the first of the days that speak of this line
 */
export function lookAhead(known: KnownDays, start: number, coming: readonly ComingDay[]): Outlook {
  const days = known.days.slice(start);
  const tokens = known.tokens.slice(start);
  if (sumOf(tokens) === 0) return NOTHING_TO_COME;
  const fitted = fitLine(days, tokens);
  const { growth, levelOf } = fitted;
  if (days.length >= 2 * LEAST_DAYS && hasFallenAway(days, growth)) {
    return lookAhead(known, start + Math.floor(days.length / 2), coming);
  }
  const deviations = deviationsOf(days, tokens, fitted);
  const found = sumOf(deviations.map((value) => value * value)) / days.length;

  const level = coming.map(({ day, share }) => levelOf(day) * share);
  const grown = coming.map(({ day }) => growthAt(growth, dayNumberOf(day)));
  const likeliest = coming.map((_, place) => (level[place] ?? 0) * (grown[place] ?? 0));
  const expected = coming.map(
    ({ day }, place) => (likeliest[place] ?? 0) / growthLiftAt(growth, dayNumberOf(day)),
  );
  const [sumExpected, middle] = [sumOf(expected), sumOf(likeliest)];
  if (found === 0 || sumExpected === 0) return { ...NOTHING_TO_COME, expected: sumExpected, middle };

  const memory = measureMemory(deviations);
  const inflation = sumInflation(memory, days.length);
  const widening = 1 + STUDENT / effectiveFreedom(deviations, growth.freedom, inflation);
  const chance = widening * Math.sqrt((growth.dispersion * sumInflation(memory, coming.length)) / found);
  const error = levelError(fitted, coming, expected) * inflation + growthError(growth, coming, level);
  return {
    expected: sumExpected,
    middle,
    start,
    deviations,
    weights: Float64Array.from(grown, (factor, place) => chance * factor * Math.sqrt(level[place] ?? 0)),
    doubt: (widening * Math.sqrt(error / found)) / sumExpected,
  };
}

function hasFallenAway(days: readonly number[], growth: Growth): boolean {
  const [first = 0, last = 0] = [days[0], days.at(-1)].map((day) => growthAt(growth, dayNumberOf(day ?? 0)));
  return growth.isBeyond || last < LEAST_GROWN * first;
}

interface FittedLine {
  levels: Levels;
  growth: Growth;
  levelOf(day: number): number;
  /** Of all known days. */
  levelSum: number;
}

/** Weekdays are compared when growth is taken out of them, and growth is fitted to what weekdays do not explain. */
function fitLine(days: readonly number[], tokens: readonly number[]): FittedLine {
  const dayNumbers = days.map(dayNumberOf);
  const fitTo = (levels: Levels, shares: readonly number[]): FittedLine => {
    const levelOf = (day: number) => levels.byWeekday[weekdayOf(day)] ?? 0;
    const itsLevels = days.map(levelOf);
    const { parameterCount } = levels;
    const growth = fitGrowth({ dayNumbers, tokens, levels: itsLevels, shares, parameterCount });
    return { levels, growth, levelOf, levelSum: sumOf(itsLevels) };
  };
  const { growth } = fitTo(estimateLevels(days, tokens), []);
  const shares = dayNumbers.map((dayNumber) => Math.max(LEAST_GROWN, growthAt(growth, dayNumber)));
  const ungrown = tokens.map((count, place) => count / (shares[place] ?? 1));
  return fitTo(estimateLevels(days, ungrown), shares);
}

/** How far each day was from what was to be expected of it; a day's variance is taken to grow with its level. */
function deviationsOf(
  days: readonly number[],
  tokens: readonly number[],
  { growth, levelOf }: FittedLine,
): number[] {
  const deviations = days.map((day, place) => {
    const level = levelOf(day);
    const grown = growthAt(growth, dayNumberOf(day));
    if (level === 0) return 0;
    return ((tokens[place] ?? 0) - level * grown) / Math.sqrt(level) / Math.max(grown, LEAST_GROWN);
  });
  const mean = sumOf(deviations) / deviations.length;
  return deviations.map((value) => value - mean);
}

/** Variance of the sum of what is expected, for the error of the means. */
function levelError(
  { levels, levelSum, growth }: FittedLine,
  coming: readonly ComingDay[],
  expected: readonly number[],
): number {
  const ofMeans = levels.trust * levels.trust;
  const sumExpected = sumOf(expected);
  let error = ((1 - ofMeans) * sumExpected * sumExpected) / levelSum;
  for (const [weekday, level] of levels.byWeekday.entries()) {
    const its = sumOf(expected.filter((_, place) => weekdayOf(coming[place]?.day ?? 0) === weekday));
    const itsCount = Math.max(1, levels.countByWeekday[weekday] ?? 0);
    if (level > 0) error += (ofMeans * its * its) / (level * itsCount);
  }
  return growth.dispersion * error;
}

/** The same for the errors of the growth, of its rate and of its pace. */
function growthError(growth: Growth, coming: readonly ComingDay[], level: readonly number[]): number {
  const sumSlopes = (slopeAt: typeof growthSlopeAt) =>
    sumOf(coming.map(({ day }, place) => (level[place] ?? 0) * slopeAt(growth, dayNumberOf(day))));
  const [ofRate, ofPace] = [sumSlopes(growthSlopeAt), sumSlopes(paceSlopeAt)];
  return growth.variance * ofRate * ofRate + growth.pace.variance * ofPace * ofPace;
}
