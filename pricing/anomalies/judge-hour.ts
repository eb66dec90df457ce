import { compare, nearestRank } from '../statistics.ts';
import { type HourUsage, sumHours } from './hour.ts';
import { RULES } from './rules.ts';
import { medianOf, scatterOf } from './usual.ts';

/** What the dearest and the busiest user of any hour of a day came to. */
export interface DayPeaks {
  topUserCostPicoUsd: bigint;
  topUserRequestCount: bigint;
}

/** What is known of a customer when an hour is judged. Hours without usage are in the samples as such. */
export interface HourBefore {
  /** The same hour of the same weekday, of the weeks before. */
  sameWeekday: readonly HourUsage[];
  /** The same hour of each of the days before. */
  sameHour: readonly HourUsage[];
  /** Of each of the days before. */
  peaks: readonly DayPeaks[];
  /** Whole days from the customer's first usage to this hour. */
  historyDays: number;
}

export interface HourJudgement {
  /** The highest of the scores, in robust deviations; null: too little is known. */
  score: number | null;
  /** What stands out: all the customer's usage, or one user's; null: neither. */
  moved: 'customer' | 'user' | null;
  /** What is usual of all the customer's usage in such an hour. */
  usualPicoUsd: bigint;
  /** The mean of the same hour of the days before: what its parts are held against. */
  usualMean: HourUsage;
  /** What is more than usual, of what moved; 0 where nothing did. */
  excessPicoUsd: bigint;
}

interface Series {
  figureOf: (hour: HourUsage) => bigint;
  leastScatterPercent: number;
  leastScatter: bigint;
}

const ALL: Series = {
  figureOf: ({ costPicoUsd }) => costPicoUsd,
  leastScatterPercent: RULES.leastCustomerScatterPercent,
  leastScatter: RULES.leastScatterPicoUsd,
};
const TOP_COST: Series = {
  figureOf: ({ topUserCostPicoUsd }) => topUserCostPicoUsd,
  leastScatterPercent: RULES.leastTopUserScatterPercent,
  leastScatter: RULES.leastScatterPicoUsd,
};
const TOP_REQUESTS: Series = {
  figureOf: ({ topUserRequestCount }) => topUserRequestCount,
  leastScatterPercent: RULES.leastTopUserScatterPercent,
  leastScatter: RULES.leastScatterRequests,
};

/**
 * The robust rule: an hour against the median of the same weekday and hour, in deviations that one wild week does not move. An
 * hour that is not over yet is held against whole ones: it can only grow.
 */
export function judgeHour(hour: HourUsage, before: HourBefore): HourJudgement {
  const all = scoreOf(hour, before, ALL);
  const cost = scoreOf(hour, before, TOP_COST);
  const requests = scoreOf(hour, before, TOP_REQUESTS);
  const usual = { usualPicoUsd: BigInt(Math.round(all.usual)), usualMean: meanOf(before.sameHour) };
  if (before.historyDays < RULES.leastHistoryDays) {
    return { score: null, moved: null, ...usual, excessPicoUsd: 0n };
  }
  const score = Math.max(all.score, cost.score, requests.score);
  const excessOfAll = hour.costPicoUsd - usual.usualPicoUsd;
  const excessOfTop = hour.topUserCostPicoUsd - BigInt(Math.round(cost.usual));
  const isAbove = all.score >= RULES.customerScore && excessOfAll > 0n;
  const isTopAbove =
    excessOfTop > 0n &&
    ((cost.score >= RULES.topUserScore && isNew(hour, before.peaks, 'topUserCostPicoUsd')) ||
      (requests.score >= RULES.topUserRequestsScore && isNew(hour, before.peaks, 'topUserRequestCount')));
  if (isAbove && (!isTopAbove || excessOfAll >= excessOfTop)) {
    return { score, moved: 'customer', ...usual, excessPicoUsd: excessOfAll };
  }
  if (isTopAbove) return { score, moved: 'user', ...usual, excessPicoUsd: excessOfTop };
  return { score, moved: null, ...usual, excessPicoUsd: 0n };
}

/** One user with much to do in an hour is what happens now and then: what several of the last days have seen is not new. */
function isNew(hour: HourUsage, peaks: readonly DayPeaks[], figure: keyof DayPeaks): boolean {
  const sorted = peaks.map((peak) => peak[figure]).toSorted(compare);
  return hour[figure] > nearestRank(sorted, RULES.seenBeforePercent);
}

function scoreOf(
  hour: HourUsage,
  { sameWeekday, sameHour }: HourBefore,
  { figureOf, leastScatterPercent, leastScatter }: Series,
): { score: number; usual: number } {
  const ofWeekday = sameWeekday.map((sample) => Number(figureOf(sample)));
  const ofHour = sameHour.map((sample) => Number(figureOf(sample)));
  // Until a weekday was seen three times, the hour's days of all weekdays speak for it.
  const usual = medianOf(ofWeekday.length >= 3 ? ofWeekday : ofHour);
  const scatter = Math.max(
    scatterOf(ofWeekday, usual),
    // Hours of all days scatter around their own middle: weekends do not hide a weekday.
    scatterOf(ofHour, medianOf(ofHour)),
    (usual * leastScatterPercent) / 100,
    Number(leastScatter),
  );
  return { score: (Number(figureOf(hour)) - usual) / scatter, usual };
}

function meanOf(hours: readonly HourUsage[]): HourUsage {
  const sums = sumHours(hours);
  const count = BigInt(Math.max(1, hours.length));
  return {
    costPicoUsd: sums.costPicoUsd / count,
    topUserCostPicoUsd: sums.topUserCostPicoUsd / count,
    topUserRequestCount: sums.topUserRequestCount / count,
    lateCostPicoUsd: sums.lateCostPicoUsd / count,
    requestCount: sums.requestCount / count,
    tokenCount: sums.tokenCount / count,
    userCount: sums.userCount,
  };
}
