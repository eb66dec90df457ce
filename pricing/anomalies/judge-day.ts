import { sumOf } from '../statistics.ts';
import { RULES } from './rules.ts';

/** A customer's day, so far, by the first rule. */
export interface DayJudgement {
  /** Deviations above the mean; null: no two days differ, or too few days are known. */
  score: number | null;
  isAbove: boolean;
  meanPicoUsd: bigint;
}

/**
 * The rule of two sigmas: a customer's daily cost against the mean and the standard deviation of its days before. What a day
 * has cost so far is held against whole days: it can only grow.
 * @param before costs of the days before, at most `RULES.baselineDays`, from the customer's first day on; without usage: 0
 */
export function judgeDay(costPicoUsd: bigint, before: readonly bigint[]): DayJudgement {
  if (before.length < RULES.leastHistoryDays) return { score: null, isAbove: false, meanPicoUsd: 0n };
  const costs = before.map(Number);
  const mean = sumOf(costs) / costs.length;
  const squares = costs.map((cost) => (cost - mean) * (cost - mean));
  const deviation = Math.sqrt(sumOf(squares) / (costs.length - 1));
  const above = Number(costPicoUsd) - mean;
  const meanPicoUsd = BigInt(Math.round(mean));
  if (deviation === 0) return { score: null, isAbove: above > 0, meanPicoUsd };
  const score = above / deviation;
  return { score, isAbove: score > RULES.sigmas, meanPicoUsd };
}
