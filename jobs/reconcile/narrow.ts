import { refundUnanswered, takeStripeRead } from '../../src/billing/stripe-reads.ts';
import { addMs, DAY_MS, HOUR_MS, type TimeWindow } from '../../src/platform/clock.ts';
import type { BillingPair } from '../../src/reconciliation/billing-checks.ts';
import type { PairHour } from '../../src/reconciliation/billing-drifts.ts';
import type { SummaryGranularity } from '../../src/stripe/port.ts';
import type { JobDependencies } from '../dependencies.ts';

/** Rows of one page of summaries; each page is a read. */
const PAGE_ROWS = 100;

/** The day's budget does not allow another read. */
export class BudgetSpentError extends Error {
  override readonly name = 'BudgetSpentError';
}

/** Reads of one pair, each taken out of the budget first. */
export class PairReader {
  readonly #deps: JobDependencies;
  readonly #pair: BillingPair;
  readonly #signal: AbortSignal | undefined;
  readCount = 0;

  constructor(deps: JobDependencies, pair: BillingPair, signal: AbortSignal | undefined) {
    this.#deps = deps;
    this.#pair = pair;
    this.#signal = signal;
  }

  /**
   * Stripe's sums over a window, by their start.
   * @throws BudgetSpentError before the call; UpstreamError
   */
  async read(
    window: TimeWindow,
    granularity: SummaryGranularity,
    purpose: 'routine' | 'doubt',
  ): Promise<Map<number, bigint>> {
    const { database, settings, clock, billing } = this.#deps;
    const unitMs = granularity === 'day' ? DAY_MS : HOUR_MS;
    const rowCount = granularity === 'whole' ? 1 : (window.end.getTime() - window.start.getTime()) / unitMs;
    const limitPerDay = purpose === 'routine' ? settings.stripeReadsPerDay : settings.stripeDoubtReadsPerDay;
    const read = { purpose, now: clock.now(), limitPerDay };
    const pageCount = Math.ceil(rowCount / PAGE_ROWS);
    for (let page = 0; page < pageCount; page += 1) {
      if (!(await takeStripeRead(database, read)))
        throw new BudgetSpentError(`The ${purpose} reads of this day are used up.`);
      this.readCount += 1;
    }
    const { stripeMeterId, stripeCustomerId } = this.#pair;
    const summaries = await refundUnanswered(database, { ...read, readCount: pageCount }, () =>
      billing.readEventSummaries({ stripeMeterId, stripeCustomerId, window, granularity }, this.#signal),
    );
    return new Map(summaries.map((summary) => [summary.windowStart.getTime(), summary.value]));
  }
}

/** An hour in which Stripe counts something else than it acknowledged. */
export interface NarrowedHour {
  windowStart: Date;
  acknowledged: bigint;
  counted: bigint;
}

/**
 * Finds the hours that make a range differ: first by UTC day, then by hour within the days that differ. One
 * hour in a month costs two reads.
 */
export async function narrow(
  reader: PairReader,
  window: TimeWindow,
  hours: readonly PairHour[],
  missing: bigint,
): Promise<NarrowedHour[]> {
  const acknowledgedOf = (part: TimeWindow) =>
    hours.reduce(
      (sum, hour) =>
        hour.windowStart >= part.start && hour.windowStart < part.end ? sum + hour.acknowledged : sum,
      0n,
    );
  const lastDay = new Date(Math.floor(window.end.getTime() / DAY_MS) * DAY_MS);
  const differing: TimeWindow[] = [];
  let left = missing;
  if (lastDay > window.start) {
    const days = await reader.read({ start: window.start, end: lastDay }, 'day', 'doubt');
    for (let start = window.start; start < lastDay; start = addMs(start, DAY_MS)) {
      const day = { start, end: addMs(start, DAY_MS) };
      const difference = acknowledgedOf(day) - (days.get(start.getTime()) ?? 0n);
      if (difference !== 0n) differing.push(day);
      left -= difference;
    }
  }
  // The day that is not over has no sum of its own: it holds what the whole days do not explain.
  if (left !== 0n)
    differing.push({ start: lastDay > window.start ? lastDay : window.start, end: window.end });
  const found: NarrowedHour[] = [];
  for (const part of differing) found.push(...(await readHours(reader, part, hours)));
  return found.filter((hour) => hour.acknowledged !== hour.counted);
}

/** Stripe's count of every hour of a window of at most a day, also of those in which it counts as acknowledged. */
export async function readHours(
  reader: PairReader,
  window: TimeWindow,
  hours: readonly PairHour[],
): Promise<NarrowedHour[]> {
  const counted = await reader.read(window, 'hour', 'doubt');
  const acknowledged = new Map(hours.map((hour) => [hour.windowStart.getTime(), hour.acknowledged]));
  const found: NarrowedHour[] = [];
  for (let start = window.start; start < window.end; start = addMs(start, HOUR_MS)) {
    found.push({
      windowStart: start,
      acknowledged: acknowledged.get(start.getTime()) ?? 0n,
      counted: counted.get(start.getTime()) ?? 0n,
    });
  }
  return found;
}
