import { measureMemory, sumInflation } from '../spread.ts';
import { sumOf } from '../statistics.ts';
import { compound } from './compound.ts';
import { estimatePace, grownDays, lagBeside, type Pace, STEADY } from './pace.ts';

/** Growth a day that is told from chance well enough to be believed by half: 1.35 times in 30 days. */
const HALF_BELIEVED = 0.01;
/** No line is taken to double faster than in about four days, nor to fall faster. */
const MOST_A_DAY = 0.2;
const ROUNDS = 4;

export interface Growth {
  /** A day, at the centre, as far as it is believed. */
  rate: number;
  /** Whether the days fell faster than any line is taken to fall. */
  isBeyond: boolean;
  /** What its estimate may be off by, squared. */
  variance: number;
  pace: Pace;
  /** The middle of what was used, in days since the epoch. */
  centre: number;
  /** What days at the centre hold, as a share of their levels. */
  factor: number;
  /** Variance of a day's tokens for each token of its level. */
  dispersion: number;
  /** Days less the figures that were estimated from them. */
  freedom: number;
}

/** What a day holds, as a share of its weekday's level. */
export function growthAt({ rate, pace, centre, factor }: Growth, dayNumber: number): number {
  return factor * compound(rate * grownDays(dayNumber - centre, pace.value)).value;
}

/** How that changes with the rate. */
export function growthSlopeAt({ rate, pace, centre, factor }: Growth, dayNumber: number): number {
  const grown = grownDays(dayNumber - centre, pace.value);
  return factor * compound(rate * grown).slope * grown;
}

/** How it changes with the pace, at what level and rate then are. */
export function paceSlopeAt(growth: Growth, dayNumber: number): number {
  const { rate, pace, centre } = growth;
  return growthAt(growth, dayNumber) * rate * lagBeside(pace, dayNumber - centre);
}

/**
 * By how much the mean of what grows uncertainly lies above what grows as is likeliest: half the square of the error. Of the
 * pace's, which is drawn towards what is usual already, half of that stays.
 */
export function growthLiftAt({ rate, variance, pace, centre }: Growth, dayNumber: number): number {
  const grown = grownDays(dayNumber - centre, pace.value);
  const lag = rate * lagBeside(pace, dayNumber - centre);
  return 1 + (variance * grown * grown) / 2 + (pace.variance * lag * lag) / 4;
}

/** Known days, each with its level and by what share of it its spread is taken to grow. */
interface GrownDays {
  dayNumbers: readonly number[];
  tokens: readonly number[];
  levels: readonly number[];
  shares: readonly number[];
  parameterCount: number;
}

/**
 * Growth fitted by least squares in which a day weighs by its level (its variance is taken to grow with it, and with the
 * square of its share): first at a steady pace, by equal shares, and then at the pace which that leaves to be told.
 */
export function fitGrowth(known: GrownDays): Growth {
  const { dayNumbers, levels } = known;
  const centre = sumOf(levels.map((level, place) => level * (dayNumbers[place] ?? 0))) / sumOf(levels);
  const distances = dayNumbers.map((dayNumber) => dayNumber - centre);
  const steady = fitRate(known, distances);
  const pace = estimatePace({
    distances,
    levels,
    residuals: steady.residuals,
    rate: steady.rate,
    noise: steady.dispersion * steady.inflation,
  });
  const grown = distances.map((distance) => grownDays(distance, pace.value));
  const { rate, variance, factor, dispersion, freedom } = pace === STEADY ? steady : fitRate(known, grown);
  return { rate, isBeyond: steady.isBeyond, variance, pace, centre, factor, dispersion, freedom };
}

interface FittedRate
  extends Pick<Growth, 'rate' | 'isBeyond' | 'variance' | 'factor' | 'dispersion' | 'freedom'> {
  residuals: readonly number[];
  /** By how much more the sum of days in a row varies than if they were independent. */
  inflation: number;
}

/** A rate is believed as far as it is told from chance: where its error is e, b^4 / (b^4 + e^4) with b of half belief. */
function fitRate(
  { dayNumbers, tokens, levels, shares, parameterCount }: GrownDays,
  distances: readonly number[],
): FittedRate {
  const total = sumOf(levels);
  const steepest = Math.min(MOST_A_DAY, 8 / Math.max(1, dayNumbers.length));
  let rate = 0;
  for (let round = 0; round <= ROUNDS; round += 1) {
    rate = Math.max(-steepest, Math.min(steepest, rate + stepOf(rate)));
  }
  const factor = factorOf(rate);
  const freedom = Math.max(2, dayNumbers.length - parameterCount - 1);
  const residuals = levels.map((level, place) => {
    const fitted = level * factor * compound(rate * (distances[place] ?? 0)).value;
    return level > 0 ? ((tokens[place] ?? 0) - fitted) / Math.sqrt(level) / shareOf(place) : 0;
  });
  const dispersion = sumOf(residuals.map((residual) => residual * residual)) / freedom;
  const inflation = sumInflation(measureMemory(residuals), residuals.length);
  const span = sumOf(levels.map((level, place) => level * (distances[place] ?? 0) * (distances[place] ?? 0)));
  const squaredError = span > 0 ? (dispersion * inflation) / span : 0;
  const doubt = squaredError / (HALF_BELIEVED * HALF_BELIEVED);
  const belief = 1 / (1 + doubt * doubt);
  return {
    rate: belief * rate,
    isBeyond: rate <= -steepest,
    variance: belief * belief * squaredError,
    factor: factorOf(belief * rate),
    dispersion,
    freedom,
    residuals,
    inflation,
  };

  function shareOf(place: number): number {
    return shares[place] ?? 1;
  }

  /** At any rate the days hold what they held. */
  function factorOf(atRate: number): number {
    const grown = levels.map(
      (level, place) => (level * compound(atRate * (distances[place] ?? 0)).value) / shareOf(place),
    );
    return sumOf(tokens.map((count, place) => count / shareOf(place))) / sumOf(grown);
  }

  /** Gauss and Newton. */
  function stepOf(atRate: number): number {
    const atFactor = factorOf(atRate);
    const grown = distances.map((distance) => compound(atRate * distance));
    const slopes = grown.map(
      ({ slope }, place) => (atFactor * slope * (distances[place] ?? 0)) / shareOf(place),
    );
    const meanSlope = sumOf(slopes.map((slope, place) => slope * (levels[place] ?? 0))) / total;
    let towards = 0;
    let length = 0;
    for (const [place, level] of levels.entries()) {
      const slope = (slopes[place] ?? 0) - meanSlope;
      towards +=
        (slope * ((tokens[place] ?? 0) - level * atFactor * (grown[place]?.value ?? 0))) / shareOf(place);
      length += slope * slope * level;
    }
    return length > 0 ? towards / length : 0;
  }
}
