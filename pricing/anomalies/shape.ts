import { type HourUsage, PART_DIMENSIONS, type PartUsage } from './hour.ts';
import { RULES } from './rules.ts';

/**
 * What the hours of a finding look like. `loop`: one user asks the same again and again, at any hour; `scraper`: one user asks
 * about everything, or is new, or asks at hours that are quiet else and did not ask for two weeks; `larger_prompts`: no more requests than usual, and each costs more;
 * `new_feature`: many users of a feature that is new; `growth`: more of everything; `spike`: none of these.
 */
export const SHAPES = [
  'loop',
  'scraper',
  'larger_prompts',
  'creep',
  'new_feature',
  'growth',
  'spike',
] as const;
export type Shape = (typeof SHAPES)[number];

/** The part that moved while the rest held. */
export interface MovedPart {
  part: PartUsage;
  /** What it costs, and how often it asks, in hours like these. */
  usualCostPicoUsd: bigint;
  usualRequestCount: bigint;
  /** Of what is too much, in per cent; at most 100. */
  sharePercent: number;
}

/**
 * The one part of each dimension that holds most of what is too much, where the others held.
 * @param usualHours what all parts cost in hours like these; @param usualDay in a day
 */
export function movedParts(
  parts: readonly PartUsage[],
  { usualHoursPicoUsd, usualDayPicoUsd }: { usualHoursPicoUsd: bigint; usualDayPicoUsd: bigint },
): MovedPart[] {
  const inHours = (ofDay: bigint) =>
    usualDayPicoUsd === 0n ? 0n : (ofDay * usualHoursPicoUsd) / usualDayPicoUsd;
  return PART_DIMENSIONS.flatMap((dimension) => {
    const of = parts
      .filter((part) => part.dimension === dimension)
      .map((part) => ({
        part,
        usualCostPicoUsd: inHours(part.usualDayCostPicoUsd),
        usualRequestCount: inHours(part.usualDayRequestCount),
      }));
    const moved = mostMoved(of);
    return moved === null ? [] : [moved];
  });
}

type Part = Omit<MovedPart, 'sharePercent'>;

const excessOf = ({ part, usualCostPicoUsd }: Part) => Number(part.costPicoUsd - usualCostPicoUsd);

function mostMoved(parts: readonly Part[]): MovedPart | null {
  const [most, ...rest] = parts.toSorted(
    (left, right) => excessOf(right) - excessOf(left) || (left.part.value < right.part.value ? -1 : 1),
  );
  if (most === undefined || excessOf(most) <= 0) return null;
  const sum = (of: readonly Part[], pick: (part: Part) => number) =>
    of.reduce((total, part) => total + pick(part), 0);
  // Others are some more and some less than usual, by chance: together they say how much there is too much.
  const sharePercent = Math.round((excessOf(most) * 100) / Math.max(excessOf(most), sum(parts, excessOf)));
  const cost = sum(rest, ({ part }) => Number(part.costPicoUsd));
  const usual = sum(rest, ({ usualCostPicoUsd }) => Number(usualCostPicoUsd));
  const isHeld = cost <= (usual * RULES.heldPercent + excessOf(most) * RULES.heldSlackPercent) / 100;
  const hasMoved = Number(most.part.costPicoUsd) >= RULES.movedTimes * Number(most.usualCostPicoUsd);
  return hasMoved && isHeld && sharePercent >= RULES.concentratedPercent ? { ...most, sharePercent } : null;
}

/**
 * @param hour the sum of the finding's hours; @param usual of as many usual hours
 * @param isQuietTime whether the customer's hours of this time are usually quiet
 */
export function shapeOf(
  hour: HourUsage,
  usual: HourUsage,
  { moved, isQuietTime }: { moved: readonly MovedPart[]; isQuietTime: boolean },
): Shape {
  const user = moved.find(({ part }) => part.dimension === 'user');
  const feature = moved.find(({ part }) => part.dimension === 'feature');
  if (user !== undefined) {
    if (ratio(user.part.requestCount, user.usualRequestCount) < RULES.movedTimes) return 'larger_prompts';
    // Programs run at night, too: the hour alone says nothing of whoever asks at others as well.
    const isStranger = user.part.isNew || (isQuietTime && user.part.usualDayRequestCount === 0n);
    return feature === undefined || isStranger ? 'scraper' : 'loop';
  }
  if (feature?.part.isNew === true) return 'new_feature';
  const requests = ratio(hour.requestCount, usual.requestCount);
  const users = ratio(BigInt(hour.userCount), BigInt(usual.userCount));
  const size = ratio(hour.tokenCount, hour.requestCount) / ratio(usual.tokenCount, usual.requestCount);
  if (requests < 1.5 && size >= 2) return 'larger_prompts';
  return feature === undefined || requests < RULES.movedTimes * users ? 'growth' : 'spike';
}

/** How many times as much; what was nothing before counts as one. */
function ratio(value: bigint, before: bigint): number {
  return Number(value) / Number(before > 0n ? before : 1n);
}
