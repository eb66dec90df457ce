import { isMaterialAmount } from './decide.ts';
import { RULES } from './rules.ts';
import { medianOf, scatterOf } from './usual.ts';

/** Days of the same size do not make the next one endlessly high: a twentieth of the usual is the least scatter. */
const LEAST_SCATTER_PART = 20;

/** One day of a customer. */
export interface DayUsage {
  costPicoUsd: bigint;
  requestCount: bigint;
}

export interface CreepJudgement {
  isCreep: boolean;
  /** What a request costs in the last days, of what it cost before, in per cent; null: too little is known. */
  sizePercent: number | null;
  /** The same in robust deviations of the days before. */
  score: number | null;
  /** What the last days cost more than their requests would have cost before. */
  excessPicoUsd: bigint;
}

/**
 * What no single hour shows: requests that cost a little more every day, as prompts do to which nobody stops adding. More
 * requests are growth, and a dearer feature that is new is no creep.
 * @param days whole days in their order, the last is the day that is judged
 * @param hasNewFeature a feature that the days before did not know has a tenth or more of what the last days cost
 */
export function judgeCreep(
  days: readonly DayUsage[],
  { hasNewFeature }: { hasNewFeature: boolean },
): CreepJudgement {
  const last = days.slice(-RULES.creepDays);
  const before = days.slice(-RULES.creepDays - RULES.creepBeforeDays, -RULES.creepDays);
  const unknown = { isCreep: false, sizePercent: null, score: null, excessPicoUsd: 0n };
  if (before.length < RULES.creepBeforeDays) return unknown;
  const usualSize = medianOf(sizesOf(before));
  if (usualSize === 0) return unknown;
  const size = medianOf(sizesOf(last));
  const sizePercent = Math.round((size * 100) / usualSize);
  const scatter = Math.max(scatterOf(sizesOf(before), usualSize), usualSize / LEAST_SCATTER_PART);
  const score = (size - usualSize) / scatter;
  const cost = last.reduce((sum, day) => sum + day.costPicoUsd, 0n);
  const requests = last.reduce((sum, day) => sum + day.requestCount, 0n);
  const excess = cost - BigInt(Math.round(usualSize)) * requests;
  const excessPicoUsd = excess > 0n ? excess : 0n;
  const usualDay = before.reduce((sum, day) => sum + day.costPicoUsd, 0n) / BigInt(before.length);
  const requestsBefore = before.reduce((sum, day) => sum + day.requestCount, 0n);
  const isGrowth =
    Number(requests) * before.length * 100 >
    Number(requestsBefore) * last.length * (100 + RULES.creepRequestsPercent);
  const isCreep =
    sizePercent >= 100 + RULES.creepPercent &&
    !isGrowth &&
    !hasNewFeature &&
    isMaterialAmount(excessPicoUsd, usualDay);
  return { isCreep, sizePercent, score, excessPicoUsd };
}

/** What a request cost on each day that had any, in pico-USD. */
function sizesOf(days: readonly DayUsage[]): number[] {
  return days
    .filter(({ requestCount }) => requestCount > 0n)
    .map(({ costPicoUsd, requestCount }) => Number(costPicoUsd) / Number(requestCount));
}
