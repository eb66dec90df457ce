import type { Explanation } from './decide.ts';
import { type CreepJudgement, type DayUsage, judgeCreep } from './judge-creep.ts';
import { RULES } from './rules.ts';
import type { MovedPart } from './shape.ts';

/** One user, feature or model of a customer, in the last days and in those before. */
export interface CreepPart {
  dimension: MovedPart['part']['dimension'];
  value: string;
  last: DayUsage;
  before: DayUsage;
  /** Nothing of it in the first half of the days before. */
  isNew: boolean;
}

export interface CreepDecision extends CreepJudgement {
  moved: { dimension: CreepPart['dimension']; value: string; sharePercent: number }[];
  explanations: Explanation[];
  /** Whether a person needs to look at it. */
  isRaised: boolean;
}

/** A feature that is new is dear from its first day on: that is no creep from this share of all cost on, in per cent. */
const NEW_FEATURE_PERCENT = 10n;

/**
 * What creeps, and where: the part of each dimension that holds most of what is too much.
 * @param days whole days in their order, the last is the day that is judged
 */
export function decideCreep(
  days: readonly DayUsage[],
  { parts, hasPriceChange }: { parts: readonly CreepPart[]; hasPriceChange: boolean },
): CreepDecision {
  const features = parts.filter(({ dimension }) => dimension === 'feature');
  const total = features.reduce((sum, { last }) => sum + last.costPicoUsd, 0n);
  const hasNewFeature = features.some(
    ({ isNew, last }) =>
      isNew && last.costPicoUsd > 0n && last.costPicoUsd * 100n >= total * NEW_FEATURE_PERCENT,
  );
  const judged = judgeCreep(days, { hasNewFeature });
  const explanations: Explanation[] = hasPriceChange ? ['price_change'] : [];
  return {
    ...judged,
    moved: movedParts(parts),
    explanations,
    isRaised: judged.isCreep && explanations.length === 0,
  };
}

function movedParts(parts: readonly CreepPart[]): CreepDecision['moved'] {
  return (['user', 'feature', 'model'] as const).flatMap((dimension) => {
    const of = parts
      .filter((part) => part.dimension === dimension)
      .map((part) => ({ value: part.value, excess: excessOf(part) }))
      .filter(({ excess }) => excess > 0)
      .toSorted((left, right) => right.excess - left.excess || (left.value < right.value ? -1 : 1));
    const [most] = of;
    if (most === undefined) return [];
    const sharePercent = Math.round((most.excess * 100) / of.reduce((sum, { excess }) => sum + excess, 0));
    return sharePercent < RULES.concentratedPercent ? [] : [{ dimension, value: most.value, sharePercent }];
  });
}

/** What a part's last requests cost more than so many did before. */
function excessOf({ last, before }: CreepPart): number {
  if (before.requestCount <= 0n) return 0;
  const usual = (Number(before.costPicoUsd) / Number(before.requestCount)) * Number(last.requestCount);
  return Number(last.costPicoUsd) - usual;
}
