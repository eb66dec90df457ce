import { drawEvenly } from '../draws.ts';
import { sumOf } from '../statistics.ts';
import type { Outlook } from './outlook.ts';
import { spreadOverDays } from './young-lines.ts';

/** How many ways for the period to go on are looked at. */
const SCENARIO_COUNT = 200;
/** Days that an error of estimation is drawn from. */
const DOUBT_DAYS = 14;
/** What was used is never taken to be so much more than usual that less than this share of it is. */
const LEAST_SHARE = 0.3;

/**
 * What each line uses until the period ends, in each of the scenarios: whole tokens. A day to come is drawn among the known
 * days, and is that day for all lines: what moved together moves together. The sum is divided by how far the known days may
 * have been off, drawn alike.
 * @param outlooks of all lines, over the same known days and days to come
 */
export function playScenarios(
  outlooks: readonly Outlook[],
  { knownDayCount, comingDayCount }: { knownDayCount: number; comingDayCount: number },
): bigint[][] {
  const drawn = drawEvenly(knownDayCount, comingDayCount + DOUBT_DAYS, SCENARIO_COUNT);
  const deviations = spreadOverDays(outlooks, knownDayCount);
  return outlooks.map((outlook, line) => playLine(outlook, deviations[line] ?? [], drawn, comingDayCount));
}

function playLine(
  { middle, weights, doubt }: Outlook,
  deviations: readonly number[],
  drawn: readonly Int32Array[],
  comingDayCount: number,
): bigint[] {
  if (sumOf(weights) === 0 && doubt === 0) {
    return new Array<bigint>(SCENARIO_COUNT).fill(wholeTokens(middle));
  }
  const chance = new Float64Array(SCENARIO_COUNT);
  const error = new Float64Array(SCENARIO_COUNT);
  for (const [turn, places] of drawn.entries()) {
    const weight = turn < comingDayCount ? (weights[turn] ?? 0) : doubt / Math.sqrt(DOUBT_DAYS);
    const into = turn < comingDayCount ? chance : error;
    for (let scenario = 0; scenario < SCENARIO_COUNT; scenario += 1) {
      const deviation = deviations[places[scenario] ?? 0] ?? 0;
      into[scenario] = (into[scenario] ?? 0) + weight * deviation;
    }
  }
  const used = chance.map(
    (deviation, scenario) =>
      Math.max(0, middle + deviation) / Math.max(LEAST_SHARE, 1 + (error[scenario] ?? 0)),
  );
  // Usage that seems low is more often more than it seems than the other way round, and its mean lies above what is
  // expected: rightly for one line, whose middle it moves, and wrongly for a sum of many. Half of it stays.
  const lift = sumOf(used) / SCENARIO_COUNT / middle;
  const scale = lift > 0 ? 1 / Math.sqrt(lift) : 1;
  return Array.from(used, (tokens) => wholeTokens(tokens * scale));
}

/** Here an estimate ends to be a float. */
export function wholeTokens(estimate: number): bigint {
  return BigInt(Math.round(estimate));
}
