import { divideUp, PICO_DIGITS, parseDecimal } from '../money.ts';
import type { TokenBuckets, TokenType } from '../usage/tokens.ts';
import { splitAmount } from './rating.ts';

/** What becomes of the part of an hour's price that nobody used. */
export const IDLE_POLICIES = ['overhead', 'spread'] as const;
type IdlePolicy = (typeof IDLE_POLICIES)[number];

/** Decimals of a weight. */
export const WEIGHT_DIGITS = 6;
const ONE_TOKEN = 10n ** BigInt(WEIGHT_DIGITS);

/** Throughput bought by the hour for one deployment; it costs the same whether it is used or not. */
export interface ProvisionedCapacity {
  /** May be 0: nothing is bought (any more). */
  unitCount: bigint;
  /** Units that can be bought at once; a step of the marginal cost is at least so many. */
  unitIncrement: bigint;
  hourlyPicoUsdPerUnit: bigint;
  /** So many of the units are paid at the reservation's price instead. */
  reservedUnitCount: bigint;
  /** Null: no reservation. */
  reservedHourlyPicoUsdPerUnit: bigint | null;
  /** Weighted tokens that one unit takes in a minute. */
  tokensPerMinutePerUnit: bigint;
  /** What a token of each type weighs, in millionths of a prompt token. Cached tokens usually weigh nothing. */
  weights: TokenBuckets;
  idlePolicy: IdlePolicy;
}

/** The same as a person writes it: amounts and weights are decimal text. */
export interface ProvisionedTerms {
  unitCount: number;
  unitIncrement: number;
  hourlyUsdPerUnit: string;
  reservedUnitCount: number;
  reservedHourlyUsdPerUnit: string | null;
  tokensPerMinutePerUnit: number;
  /** Of a prompt token; a cached one weighs `cachedWeight` of it, usually 0. */
  completionWeight: string;
  cachedWeight: string;
  idlePolicy: IdlePolicy;
}

/**
 * Checks the terms and makes them exact.
 * @throws RangeError naming what is wrong: negative, zero or absurd amounts, more units reserved than bought, a
 *   reservation without a price or a price without a reservation
 */
export function createProvisionedCapacity(terms: ProvisionedTerms): ProvisionedCapacity {
  const whole = (name: keyof ProvisionedTerms, least: number) => {
    const value = terms[name];
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least) {
      throw new RangeError(`${name} must be a whole number of at least ${least}`);
    }
    return BigInt(value);
  };
  const price = (name: string, text: string) => {
    const picoUsd = parseDecimal(text, PICO_DIGITS);
    if (picoUsd <= 0n) throw new RangeError(`${name} must be greater than 0: capacity is never free`);
    return picoUsd;
  };
  const weight = (name: string, text: string) => {
    const millionths = parseDecimal(text, WEIGHT_DIGITS);
    if (millionths < 0n || millionths > 1_000n * ONE_TOKEN) {
      throw new RangeError(`${name} must lie between 0 and 1000`);
    }
    return millionths;
  };
  const unitCount = whole('unitCount', 0);
  const reservedUnitCount = whole('reservedUnitCount', 0);
  if (reservedUnitCount > unitCount) throw new RangeError('reservedUnitCount is more than unitCount');
  if (reservedUnitCount > 0n !== (terms.reservedHourlyUsdPerUnit !== null)) {
    throw new RangeError('reservedHourlyUsdPerUnit must be given exactly when reservedUnitCount is over 0');
  }
  return {
    unitCount,
    unitIncrement: whole('unitIncrement', 1),
    hourlyPicoUsdPerUnit: price('hourlyUsdPerUnit', terms.hourlyUsdPerUnit),
    reservedUnitCount,
    reservedHourlyPicoUsdPerUnit:
      terms.reservedHourlyUsdPerUnit === null
        ? null
        : price('reservedHourlyUsdPerUnit', terms.reservedHourlyUsdPerUnit),
    tokensPerMinutePerUnit: whole('tokensPerMinutePerUnit', 1),
    weights: weighAll({
      prompt: ONE_TOKEN,
      prompt_cached: weight('cachedWeight', terms.cachedWeight),
      completion: weight('completionWeight', terms.completionWeight),
    }),
    idlePolicy: terms.idlePolicy,
  };
}

/**
 * Weights of all token types. Audio and images weigh what text does on their side, and what is written to the cache what is
 * not cached: no other weights are published. They divide a price that is paid anyway.
 */
export function weighAll(
  weights: Pick<TokenBuckets, 'prompt' | 'prompt_cached' | 'completion'>,
): TokenBuckets {
  const { prompt, prompt_cached, completion } = weights;
  return {
    prompt,
    prompt_cached,
    prompt_audio: prompt,
    prompt_image: prompt,
    prompt_cached_audio: prompt_cached,
    prompt_cache_write_5m: prompt,
    prompt_cache_write_1h: prompt,
    completion,
    completion_audio: completion,
    completion_image: completion,
  };
}

/** What an hour costs, used or not, in pico-USD. */
export function hourlyCostPicoUsd(capacity: ProvisionedCapacity): bigint {
  const { unitCount, reservedUnitCount, hourlyPicoUsdPerUnit, reservedHourlyPicoUsdPerUnit } = capacity;
  return (
    (unitCount - reservedUnitCount) * hourlyPicoUsdPerUnit +
    reservedUnitCount * (reservedHourlyPicoUsdPerUnit ?? 0n)
  );
}

/** Most that an hour takes, in millionths of a weighted token. */
export function hourlyCapacityWeight(capacity: ProvisionedCapacity): bigint {
  return capacity.unitCount * unitHourWeight(capacity);
}

function unitHourWeight(capacity: ProvisionedCapacity): bigint {
  return capacity.tokensPerMinutePerUnit * 60n * ONE_TOKEN;
}

/** What some tokens weigh, in millionths of a weighted token; corrections below zero weigh nothing. */
export function weightOf(capacity: ProvisionedCapacity, tokenType: TokenType, tokenCount: bigint): bigint {
  return tokenCount > 0n ? tokenCount * capacity.weights[tokenType] : 0n;
}

export interface HourAllocation {
  /** In the order of the weights, pico-USD; with `idlePicoUsd` they sum to the hour's cost to the last pico. */
  sharesPicoUsd: bigint[];
  /** What nobody used and nobody is charged for. */
  idlePicoUsd: bigint;
  /** More was used than the units are rated for. */
  isOverCapacity: boolean;
}

/**
 * Divides the cost of one hour in proportion to weights. With `overhead` the users pay for the part of the capacity
 * that they used, and the rest is idle; with `spread` they pay for all of it. An hour that nobody used is idle under
 * either policy: there is nobody to spread it to.
 */
export function allocateHour(capacity: ProvisionedCapacity, weights: readonly bigint[]): HourAllocation {
  const cost = hourlyCostPicoUsd(capacity);
  const capacityWeight = hourlyCapacityWeight(capacity);
  const used = weights.reduce((sum, weight) => sum + weight, 0n);
  if (used === 0n) {
    return { sharesPicoUsd: weights.map(() => 0n), idlePicoUsd: cost, isOverCapacity: false };
  }
  const isOverCapacity = used > capacityWeight;
  const idleWeight = isOverCapacity || capacity.idlePolicy === 'spread' ? 0n : capacityWeight - used;
  const parts = splitAmount(cost, [...weights, idleWeight]);
  return { sharesPicoUsd: parts.slice(0, -1), idlePicoUsd: parts.at(-1) ?? 0n, isOverCapacity };
}

/**
 * What more usage in an hour adds to the bill: nothing until the capacity is reached, then the price of as many
 * further units as it takes, at the price without a reservation.
 * @param usedWeight what the hour carries already, and @param addedWeight what comes on top
 */
export function marginalCostPicoUsd(
  capacity: ProvisionedCapacity,
  usedWeight: bigint,
  addedWeight: bigint,
): { picoUsd: bigint; addedUnitCount: bigint } {
  const unitsBefore = unitsFor(capacity, usedWeight);
  const addedUnitCount = unitsFor(capacity, usedWeight + addedWeight) - unitsBefore;
  return { picoUsd: addedUnitCount * capacity.hourlyPicoUsdPerUnit, addedUnitCount };
}

/** Units that an hour with such usage needs: at least those that are bought, more in whole increments. */
function unitsFor(capacity: ProvisionedCapacity, weight: bigint): bigint {
  const missing = weight - hourlyCapacityWeight(capacity);
  if (missing <= 0n) return capacity.unitCount;
  const incrementWeight = capacity.unitIncrement * unitHourWeight(capacity);
  const increments = divideUp(missing, incrementWeight);
  return capacity.unitCount + increments * capacity.unitIncrement;
}

/** What a million weighted tokens cost when the whole price is borne by what was used; null when nothing was. */
export function averagePicoUsdPerMillion(costPicoUsd: bigint, usedWeight: bigint): bigint | null {
  return usedWeight === 0n ? null : (costPicoUsd * 1_000_000n * ONE_TOKEN) / usedWeight;
}
