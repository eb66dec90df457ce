import { decideFinding, type FindingDecision } from '../../pricing/anomalies/decide.ts';
import { sumHours } from '../../pricing/anomalies/hour.ts';
import { RULES } from '../../pricing/anomalies/rules.ts';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import { addMs, DAY_MS, HOUR_MS } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { readChanges, readParts } from './parts.ts';
import type { Run } from './runs.ts';
import type { Standout } from './standouts.ts';

/** What is said of an hour with those before it. */
export interface RunDecision extends FindingDecision {
  /** The hours that it is about, the one that was judged last. */
  runHours: readonly Date[];
  /** Whether no other hours of the finding that lie close together have as much that is too much. */
  isChief: boolean;
}

interface Judged {
  hour: Date;
  run: Run | null;
  book: PriceBook;
  togetherPercent: number;
}

/**
 * Decides on an hour with those that it goes on from; and where these needed nobody, on the hour alone: what begins while
 * something else goes on is told of at once, too.
 */
export async function decideRun(
  database: LedgerDatabase,
  standout: Standout,
  judged: Judged,
): Promise<RunDecision> {
  const { hour, run } = judged;
  // Hours of the run, this one as it is now.
  const earlier = (run?.hours ?? []).filter(
    ({ start }) => start.getTime() !== hour.getTime() && isOfRun(start, hour, run),
  );
  const whole = await decide(database, standout, judged, earlier);
  if (whole.isRaised || earlier.length === 0 || run?.isRaised === true) return whole;
  const alone = await decide(database, standout, judged, []);
  return alone.isRaised ? alone : whole;
}

async function decide(
  database: LedgerDatabase,
  { customer, judged }: Standout,
  { hour, run, book, togetherPercent }: Judged,
  earlier: Run['hours'],
): Promise<RunDecision> {
  const { customerId } = customer;
  const hours = [...earlier.map(({ start }) => start), hour];
  const first = hours[0] ?? hour;
  const parts = await readParts(database, { customerId, hours, book });
  const models = parts.filter(({ dimension, costPicoUsd }) => dimension === 'model' && costPicoUsd > 0n);
  const changes = await readChanges(database, {
    customerId,
    from: addMs(first, -DAY_MS),
    until: addMs(hour, HOUR_MS),
    models: models.map(({ value }) => value),
  });
  const sum = (pick: (part: Run['hours'][number]) => bigint) =>
    earlier.reduce((total, part) => total + pick(part), 0n);
  const excessPicoUsd = sum((part) => part.excessPicoUsd) + judged.excessPicoUsd;
  const decision = decideFinding({
    hours: sumHours([...earlier.map(({ usage }) => usage), customer.hour]),
    usual: sumHours([...earlier.map(({ usual }) => usual), judged.usualMean]),
    hourCount: hours.length,
    excessPicoUsd,
    lastHourExcessPicoUsd: judged.excessPicoUsd,
    parts,
    usualDayPicoUsd: customer.usualDayPicoUsd,
    historyDays: customer.historyDays,
    togetherPercent: Math.round(togetherPercent),
    backfilledCostPicoUsd:
      sum(({ backfilledCostPicoUsd }) => backfilledCostPicoUsd) + customer.backfilledCostPicoUsd,
    ...changes,
  });
  return { ...decision, runHours: hours, isChief: excessPicoUsd > mostExcessBeside(hours, run) };
}

/** What is too much in those other hours of a finding that lie close together and have most of it. */
function mostExcessBeside(hours: readonly Date[], run: Run | null): bigint {
  const times = new Set(hours.map((hour) => hour.getTime()));
  let [most, sum, last] = [0n, 0n, Number.NEGATIVE_INFINITY];
  for (const { start, excessPicoUsd } of run?.hours ?? []) {
    const time = start.getTime();
    if (times.has(time)) continue;
    sum = time - last <= RULES.runHours * HOUR_MS ? sum + excessPicoUsd : excessPicoUsd;
    most = sum > most ? sum : most;
    last = time;
  }
  return most;
}

/** Whether an hour is of the run that ends with another: none of its hours lies further from the next than the rules let. */
function isOfRun(start: Date, end: Date, run: Run | null): boolean {
  const times = [...(run?.hours ?? []).map((hour) => hour.start.getTime()), end.getTime()]
    .filter((time) => time >= start.getTime() && time <= end.getTime())
    .toSorted((left, right) => left - right);
  return (
    start < end &&
    times.every((time, place) => place === 0 || time - (times[place - 1] ?? 0) <= RULES.runHours * HOUR_MS)
  );
}
