import type { HourUsage, PartUsage } from './hour.ts';
import { RULES } from './rules.ts';
import { type MovedPart, movedParts, type Shape, shapeOf } from './shape.ts';

/** Why something is more than usual and nobody needs to look. */
export const EXPLANATIONS = [
  'new_customer',
  'new_feature',
  'new_plan',
  'price_change',
  'backfill',
  'late_data',
  'all_moved',
  'growth',
] as const;
export type Explanation = (typeof EXPLANATIONS)[number];

/** What is known of the hours of a finding, from its first to the last that is above the usual. */
export interface FindingFacts {
  /** Sums of these hours; users are those of the hour with most. */
  hours: HourUsage;
  /** Sums of what is usual in them (`usualMean`). */
  usual: HourUsage;
  hourCount: number;
  /** What is more than usual, of what moved. */
  excessPicoUsd: bigint;
  /** Of it, what the last hour brought, so that it can be said how it goes on. */
  lastHourExcessPicoUsd: bigint;
  parts: readonly PartUsage[];
  /** What the customer cost in a mean day of the last two weeks. */
  usualDayPicoUsd: bigint;
  /** Since the customer's first usage. */
  historyDays: number;
  /** Share of all other customers with usage that are above their usual in the same hour, in per cent. */
  togetherPercent: number;
  /** Usage of these hours that came later than `RULES.backfillHours` after them. */
  backfilledCostPicoUsd: bigint;
  hasNewPlan: boolean;
  hasPriceChange: boolean;
}

export interface FindingDecision {
  shape: Shape;
  moved: MovedPart[];
  isMaterial: boolean;
  isConcentrated: boolean;
  /** Empty: unexplained. */
  explanations: Explanation[];
  /** Whether a person needs to look at it: material, concentrated, unexplained, and no single hour of a person. */
  isRaised: boolean;
  /** What another day of it costs beyond the usual. */
  dayAheadPicoUsd: bigint;
}

export function decideFinding(facts: FindingFacts): FindingDecision {
  const { hours, usual, usualDayPicoUsd, hourCount } = facts;
  const moved = movedParts(facts.parts, { usualHoursPicoUsd: usual.costPicoUsd, usualDayPicoUsd });
  const isQuietTime = usual.costPicoUsd * 24n * RULES.quietTimes < usualDayPicoUsd * BigInt(hourCount);
  const shape = shapeOf(hours, usual, { moved, isQuietTime });
  const dayAheadPicoUsd = 24n * facts.lastHourExcessPicoUsd;
  const isMaterial = isMaterialAmount(facts.excessPicoUsd + dayAheadPicoUsd, usualDayPicoUsd);
  const isConcentrated = moved.length > 0;
  const explanations = explain(facts, shape);
  const isSure = hourCount >= RULES.leastHours || isMachine(moved, hourCount);
  const isRaised = isMaterial && isConcentrated && isSure && explanations.length === 0;
  return { shape, moved, isMaterial, isConcentrated, explanations, isRaised, dayAheadPicoUsd };
}

/** Whether one user asks faster than a person does. */
function isMachine(moved: readonly MovedPart[], hourCount: number): boolean {
  return moved.some(
    ({ part, usualRequestCount }) =>
      part.dimension === 'user' &&
      part.requestCount - usualRequestCount >= RULES.machineRequests * BigInt(hourCount),
  );
}

/** Whether an amount matters to whoever pays it: in money, and beside what the customer costs anyway. */
export function isMaterialAmount(stakePicoUsd: bigint, usualDayPicoUsd: bigint): boolean {
  const share = (usualDayPicoUsd * RULES.materialDayPercent) / 100n;
  return stakePicoUsd >= RULES.materialPicoUsd && stakePicoUsd >= share;
}

function explain(facts: FindingFacts, shape: Shape): Explanation[] {
  const found: Explanation[] = [];
  if (facts.historyDays < RULES.newDays) found.push('new_customer');
  if (shape === 'new_feature') found.push('new_feature');
  if (facts.hasNewPlan) found.push('new_plan');
  if (facts.hasPriceChange) found.push('price_change');
  if (isMost(facts.backfilledCostPicoUsd, facts.excessPicoUsd)) found.push('backfill');
  else if (isMost(facts.hours.lateCostPicoUsd, facts.excessPicoUsd)) found.push('late_data');
  if (facts.togetherPercent >= RULES.togetherPercent) found.push('all_moved');
  if (shape === 'growth') found.push('growth');
  return found;
}

function isMost(part: bigint, excess: bigint): boolean {
  return part > 0n && part * 100n >= excess * RULES.latePercent;
}
