import { persistence, sumInflation } from '../spread.ts';
import { sumOf } from '../statistics.ts';

/** Growth a day that is told from chance well enough to be believed by half: 1.35 times in 30 days. */
const HALF_BELIEVED = 0.01;
/** No line is taken to double faster than in about four days, nor to fall faster. */
const MOST_A_DAY = 0.2;
/** Growth of equal shares each day, (1 + x / 256)^256: within a hundredth of e^x, and made of products alone. */
const DOUBLINGS = 8;
const STEPS = 256;
const ROUNDS = 4;

export interface Growth {
  /** A day, as far as it is believed. */
  rate: number;
  /** What its estimate may be off by, squared. */
  variance: number;
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
export function growthAt({ rate, centre, factor }: Growth, dayNumber: number): number {
  return factor * compound(rate * (dayNumber - centre)).value;
}

/** How that changes with the rate. */
export function growthSlopeAt({ rate, centre, factor }: Growth, dayNumber: number): number {
  return factor * compound(rate * (dayNumber - centre)).slope * (dayNumber - centre);
}

/**
 * Growth by equal shares, fitted by least squares in which a day weighs by its level (its variance is taken to grow with
 * it, and with the square of its share), and believed as far as it is told from chance: of a rate whose error is e, b^4 / (b^4 + e^4) with b of half belief.
 */
export function fitGrowth(
  dayNumbers: readonly number[],
  tokens: readonly number[],
  levels: readonly number[],
  { parameterCount, shares }: { parameterCount: number; shares: readonly number[] },
): Growth {
  const total = sumOf(levels);
  const centre = sumOf(levels.map((level, place) => level * (dayNumbers[place] ?? 0))) / total;
  const distances = dayNumbers.map((dayNumber) => dayNumber - centre);
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
  const inflation = sumInflation(persistence(residuals), residuals.length);
  const span = sumOf(levels.map((level, place) => level * (distances[place] ?? 0) * (distances[place] ?? 0)));
  const squaredError = span > 0 ? (dispersion * inflation) / span : 0;
  const doubt = squaredError / (HALF_BELIEVED * HALF_BELIEVED);
  const belief = 1 / (1 + doubt * doubt);
  return {
    rate: belief * rate,
    variance: belief * belief * squaredError,
    centre,
    factor: factorOf(belief * rate),
    dispersion,
    freedom,
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

function compound(exponent: number): { value: number; slope: number } {
  const base = 1 + exponent / STEPS;
  if (base <= 0) return { value: 0, slope: 0 };
  let value = base;
  for (let doubling = 0; doubling < DOUBLINGS; doubling += 1) value *= value;
  return { value, slope: value / base };
}
