import { divideUp } from '../money.ts';
import { resolveModel } from '../prices/lookup.ts';
import type { PriceBook } from '../prices/price-book.ts';
import {
  hourlyCapacityWeight,
  marginalCostPicoUsd,
  type ProvisionedCapacity,
} from '../rating/provisioned.ts';
import { splitAmount } from '../rating/rating.ts';
import { sum } from '../statistics.ts';
import { nameKey } from '../usage/names.ts';
import type { RatedPart } from './parts.ts';
import { MONTH_DAYS } from './range.ts';
import type { QuoteUsage } from './usage.ts';

const MONTH_HOURS = BigInt(MONTH_DAYS) * 24n;

/** Throughput bought by the hour for one deployment, and how it was used lately. Weights are as `weightOf` gives them. */
export interface QuoteCapacity {
  /** As Azure compares names: lower case, without surrounding space. */
  deployment: string;
  capacity: ProvisionedCapacity;
  /** Canonical names of the models it served. */
  models: readonly string[];
  /** Hours that were looked at, what all of them carried, and the busiest of them. */
  hourCount: number;
  usedWeight: bigint;
  busiestWeight: bigint;
}

/** What a month's usage adds to the bill of one deployment's throughput: nothing while it fits, then whole units. */
export interface CapacityStep {
  deployment: string;
  /** Of the month; below zero where usage is taken away. */
  addedWeight: bigint;
  /** Of that, in an hour like the busiest one. */
  addedToBusiestHour: bigint;
  busiestWeight: bigint;
  /** What the units that are bought take in an hour. */
  capacityWeight: bigint;
  addedUnitCount: bigint;
  /** Of the added units. */
  hourlyPicoUsd: bigint;
  monthlyPicoUsd: bigint;
  /** Nothing told how usage is spread over the hours. */
  isSpreadEvenly: boolean;
}

export interface CapacityCosts {
  steps: CapacityStep[];
  /** Pico-USD that a part adds; undefined for what no throughput was bought for. */
  costOf(part: RatedPart): bigint | undefined;
}

/**
 * Costs of usage on deployments whose throughput is bought by the hour. Such a token has no price: what more usage
 * costs is what must be bought so that an hour like the busiest one still fits. It is spread over the hours as the
 * deployment's own usage was, and each step is shared by the parts that weigh, to the last pico.
 * @param parts what is added; negative where usage is taken away, which gives nothing back: the units are bought
 */
export function costOnCapacity(
  parts: readonly RatedPart[],
  capacities: readonly QuoteCapacity[],
  book: PriceBook,
): CapacityCosts {
  const partsByCapacity = new Map<QuoteCapacity, RatedPart[]>();
  for (const part of parts) {
    const capacity = findCapacity(capacities, part.usage, book);
    if (capacity === null) continue;
    partsByCapacity.set(capacity, [...(partsByCapacity.get(capacity) ?? []), part]);
  }
  const costs = new Map<RatedPart, bigint>();
  const steps = [...partsByCapacity].map(([bought, ofCapacity]) => {
    const weights = ofCapacity.map(
      ({ tokenType, tokenCount }) => tokenCount * bought.capacity.weights[tokenType],
    );
    const step = stepOf(bought, sum(weights));
    const weighing = weights.map((weight) => (weight > 0n ? weight : 0n));
    const shares = step.monthlyPicoUsd === 0n ? [] : splitAmount(step.monthlyPicoUsd, weighing);
    for (const [index, part] of ofCapacity.entries()) costs.set(part, shares[index] ?? 0n);
    return step;
  });
  return { steps, costOf: (part) => costs.get(part) };
}

/**
 * The throughput that usage would run on: that of its deployment; where only the type of deployment is said, the one
 * that serves its model, if there is exactly one.
 */
export function findCapacity(
  capacities: readonly QuoteCapacity[],
  usage: QuoteUsage,
  book: PriceBook,
): QuoteCapacity | null {
  if (capacities.length === 0) return null;
  if (usage.deploymentType !== undefined && usage.deploymentType !== 'provisioned') return null;
  const name = nameKey(usage.deployment ?? '');
  if (name !== '') return capacities.find(({ deployment }) => deployment === name) ?? null;
  if (usage.deploymentType === undefined) return null;
  const model = resolveModel(book, usage)?.model;
  const serving = capacities.filter(({ models }) => model !== undefined && models.includes(model));
  return serving.length === 1 ? (serving[0] ?? null) : null;
}

function stepOf(bought: QuoteCapacity, addedWeight: bigint): CapacityStep {
  const { deployment, capacity, hourCount, usedWeight, busiestWeight } = bought;
  const isSpreadEvenly = usedWeight === 0n || hourCount === 0;
  const added = addedWeight > 0n ? addedWeight : 0n;
  // busiest hour / mean hour of what was seen, times the mean hour of what is added
  const addedToBusiestHour = isSpreadEvenly
    ? divideUp(added, MONTH_HOURS)
    : divideUp(added * busiestWeight * BigInt(hourCount), usedWeight * MONTH_HOURS);
  const { picoUsd, addedUnitCount } = marginalCostPicoUsd(capacity, busiestWeight, addedToBusiestHour);
  return {
    deployment,
    addedWeight,
    addedToBusiestHour,
    busiestWeight,
    capacityWeight: hourlyCapacityWeight(capacity),
    addedUnitCount,
    hourlyPicoUsd: picoUsd,
    monthlyPicoUsd: picoUsd * MONTH_HOURS,
    isSpreadEvenly,
  };
}
