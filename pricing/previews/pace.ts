import { sumOf } from '../statistics.ts';
import { compound } from './compound.ts';

/** How far from a steady pace growth is taken to be, most often: it halves or doubles in about three weeks. */
const USUAL_PACE = 0.03;
/** What growth is before its days tell: nearer to a straight line (1) than to equal shares each day (0) ... */
const STRAIGHTNESS = 0.85;
/** ... by less the faster it is: what falls by much more than this a day would soon be nothing in a straight line. */
const STRAIGHT_UP_TO = 0.0133;
/** A pace is not followed further than until growth is so many times (e to this) what it was, or so little of it. */
const FURTHEST = 1.25;
/** Below this the closed form would lose digits. */
const NEARLY_STEADY = 0.01;

/** How growth itself goes on: by equal shares each day at 0, slowing above, quickening below. At the rate it is a straight line. */
export interface Pace {
  /** By what share growth becomes less, a day. */
  value: number;
  /** What its estimate may be off by, squared. */
  variance: number;
  /** What of a lag (`lagOf`) the level and the rate of growth make up for. */
  levelPart: number;
  ratePart: number;
}

export const STEADY: Pace = { value: 0, variance: 0, levelPart: 0, ratePart: 0 };

/** How much growth there is from the centre to a day, in days of the centre's growth: (1 - e^-pd) / p. */
export function grownDays(distance: number, pace: number): number {
  const turn = turnOf(distance, pace);
  const followed = turn === pace * distance ? distance : turn / pace;
  if (Math.abs(turn) < NEARLY_STEADY) return distance * (1 - turn / 2 + (turn * turn) / 6);
  const { value } = compound(-turn);
  return (followed * (1 - value)) / turn + (distance - followed) * value;
}

/** How that changes with the pace: about -d^2 / 2. */
function lagOf(distance: number, pace: number): number {
  const turn = turnOf(distance, pace);
  const square = distance * distance;
  if (Math.abs(turn) < NEARLY_STEADY) return -square * (1 / 2 - turn / 3 + (turn * turn) / 8);
  const { value } = compound(-turn);
  return (square * (turn * value - 1 + value)) / (turn * turn);
}

function turnOf(distance: number, pace: number): number {
  return Math.max(-FURTHEST, Math.min(FURTHEST, pace * distance));
}

/** A lag without what a level and a rate fitted to the same days make up for. */
export function lagBeside({ value, levelPart, ratePart }: Pace, distance: number): number {
  return lagOf(distance, value) - levelPart - ratePart * grownDays(distance, value);
}

/** Known days with growth at a steady pace taken out of them. */
interface SteadyFit {
  /** Days from the centre. */
  distances: readonly number[];
  levels: readonly number[];
  /** Of each day, as multiples of the square root of its level. */
  residuals: readonly number[];
  rate: number;
  /** Variance of a sum of residuals, for each of them. */
  noise: number;
}

/**
 * The pace that the days tell, drawn towards what is usual by as much as chance may have made of it. Few months tell a straight
 * line from equal shares, and where the rate is small nothing does, nor does it matter there.
 */
export function estimatePace({ distances, levels, residuals, rate, noise }: SteadyFit): Pace {
  const steady = { value: 0, ...partsBeside(distances, levels, 0) };
  const lags = distances.map((distance) => lagBeside({ ...steady, variance: 0 }, distance));
  const information = rate * rate * sumOf(lags.map((lag, place) => lag * lag * (levels[place] ?? 0)));
  if (information === 0) return STEADY;
  const told =
    rate * sumOf(lags.map((lag, place) => lag * (residuals[place] ?? 0) * Math.sqrt(levels[place] ?? 0)));
  const trust = (USUAL_PACE * USUAL_PACE * information) / (USUAL_PACE * USUAL_PACE * information + noise);
  const steepness = (rate * rate) / (STRAIGHT_UP_TO * STRAIGHT_UP_TO);
  const usual = (STRAIGHTNESS * rate) / (1 + steepness * steepness);
  const value = (1 - trust) * usual + (trust * told) / information;
  return { value, variance: (trust * trust * noise) / information, ...partsBeside(distances, levels, value) };
}

/** Least squares of the lags on 1 and the grown days, a day weighing by its level. */
function partsBeside(
  distances: readonly number[],
  levels: readonly number[],
  pace: number,
): Pick<Pace, 'levelPart' | 'ratePart'> {
  const grown = distances.map((distance) => grownDays(distance, pace));
  const lags = distances.map((distance) => lagOf(distance, pace));
  const total = sumOf(levels);
  const meanOf = (values: readonly number[]) =>
    sumOf(values.map((value, place) => value * (levels[place] ?? 0))) / total;
  const [meanGrown, meanLag] = [meanOf(grown), meanOf(lags)];
  const width = meanOf(grown.map((value) => (value - meanGrown) * (value - meanGrown)));
  const together = meanOf(grown.map((value, place) => (value - meanGrown) * ((lags[place] ?? 0) - meanLag)));
  const ratePart = width > 0 ? together / width : 0;
  return { ratePart, levelPart: meanLag - ratePart * meanGrown };
}
