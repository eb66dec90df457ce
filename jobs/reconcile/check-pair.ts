import { endSummaryWait } from '../../src/billing/later-pushes.ts';
import { addMs, DAY_MS, floorToHour, HOUR_MS, type TimeWindow } from '../../src/platform/clock.ts';
import { UpstreamError } from '../../src/platform/errors.ts';
import type { BillingPair } from '../../src/reconciliation/billing-checks.ts';
import {
  commitPairCheck,
  type HourVerdict,
  type OpenBillingDrift,
  type PairHour,
  readHourPushes,
  readObservedLagMs,
  readOpenBillingDrifts,
  readPairHours,
} from '../../src/reconciliation/billing-drifts.ts';
import type { JobDependencies } from '../dependencies.ts';
import { isOvertaken } from '../push/overtaken.ts';
import { type ExplainRules, explainDifference } from './explain.ts';
import { BudgetSpentError, type NarrowedHour, narrow, PairReader, readHours } from './narrow.ts';
import { findRange, isRipe, type Ripeness } from './range.ts';

/** No further back than this are Stripe and the ledger held against each other. */
const FURTHEST_BACK_MS = 400 * DAY_MS;
/** So long after a loss was repaired the lost push may still appear. */
const LOSS_WATCH_MS = 7 * DAY_MS;
/** What nobody can explain is looked at once a day, in case it goes away. */
const UNEXPLAINED_AGAIN_MS = DAY_MS;
/** A customer who was deleted does not come back, and must not stop the others' turn. */
const GONE_AGAIN_MS = 7 * DAY_MS;

export interface PairOutcome {
  readCount: number;
  /** Hours that differ now. */
  driftCount: number;
  unexplainedCount: number;
  repairedPushCount: number;
  /** False when the budget ended before the pair was done; it is due again. */
  isDone: boolean;
}

/**
 * Holds what Stripe acknowledged of one customer and meter against what it counts, over everything that has not
 * agreed yet: one total for the whole range, narrowed down only where it differs. Losses are repaired once two
 * readings agree on them.
 * @param asked hold this window against each other, also where it agreed before
 * @throws UpstreamError when Stripe cannot be asked
 */
export async function checkPair(
  deps: JobDependencies,
  pair: BillingPair,
  purpose: 'routine' | 'doubt',
  asked: TimeWindow | null,
  signal?: AbortSignal,
): Promise<PairOutcome> {
  const now = deps.clock.now();
  const hours = await readPairHours(deps.database, pair, {
    since: addMs(now, -FURTHEST_BACK_MS),
    lossesSince: addMs(now, -LOSS_WATCH_MS),
  });
  const drifts = await readOpenBillingDrifts(deps.database, pair);
  const rules: ExplainRules = {
    now,
    summaryLagMs: deps.settings.summaryLagMs,
    lostAfterMs: deps.settings.pushLostAfterMs,
    observedLagMs: await readObservedLagMs(deps.database, now),
  };
  const known = drifts.filter((drift) =>
    hours.every((hour) => +hour.windowStart !== +drift.windowStart || isRipe(hour, rules)),
  );
  // What was found to differ is read by the hour at once: the whole might agree by chance.
  const range = known.length > 0 ? null : findRange(hours, pair, rules, asked);
  const reader = new PairReader(deps, pair, signal);
  const outcome: PairOutcome = {
    readCount: 0,
    driftCount: 0,
    unexplainedCount: 0,
    repairedPushCount: 0,
    isDone: true,
  };
  let verdicts: HourVerdict[] = [];
  try {
    if (known.length > 0) {
      const differing = await readKnownDays(reader, known, hours, rules);
      verdicts = await judge(deps, pair, differing, drifts, hours, rules);
    } else if (range !== null) {
      const differing = await findDifferences(reader, range.window, hours, purpose);
      verdicts = await judge(deps, pair, differing, drifts, hours, rules);
      if (differing.length === 0) verdicts.push(...disproveUnproven(hours, range.window));
    }
  } catch (error) {
    if (isGone(error)) {
      const next = { at: addMs(now, GONE_AGAIN_MS), doubt: 'not in Stripe' };
      await commitPairCheck(deps.database, pair, [], { now, agreedAt: null, next });
      deps.log.error({ pair }, 'Stripe has this customer or meter no more: what it counted cannot be read');
      return { ...outcome, readCount: reader.readCount };
    }
    if (!(error instanceof BudgetSpentError)) throw error;
    deps.log.warn({ pair, reason: error.message }, 'A pair waits for the next day to be looked at');
    return { ...outcome, readCount: reader.readCount, isDone: false };
  }
  const unproven = verdicts.filter((verdict) => needsProof(verdict, hours));
  const isWaiting = !(await mayWithdraw(deps, pair, unproven, hours, signal));
  if (isWaiting)
    verdicts = verdicts.flatMap((verdict) =>
      unproven.includes(verdict) ? withoutWithdrawal(verdict) : [verdict],
    );
  const open = verdicts.filter((verdict) => verdict.driftClass !== null);
  const unread = drifts.filter((drift) => verdicts.every((one) => +one.windowStart !== +drift.windowStart));
  outcome.repairedPushCount = await commitPairCheck(deps.database, pair, verdicts, {
    now,
    agreedAt: open.length === 0 ? (range?.agreedAt ?? null) : null,
    next: nextLook(open, now, rules.summaryLagMs, {
      isUnread: unread.length > 0,
      isPartial: known.length > 0,
      isYoung: isWaiting || hours.some((hour) => hour.unprovenIds.length > 0 && !isRipe(hour, rules)),
      mayAppear: hours.some((hour) => hour.hasRecentLoss),
    }),
  });
  if (known.length > 0 && open.length === 0 && !isWaiting) await endSummaryWait(deps.database, pair);
  outcome.readCount = reader.readCount;
  outcome.driftCount = open.length;
  outcome.unexplainedCount = open.filter((verdict) => verdict.driftClass === 'unexplained').length;
  if (open.length > 0) deps.log.error({ pair, drifts: open.slice(0, 10) }, 'Stripe counts something else');
  return outcome;
}

/** A deleted customer has no sums that could be read. */
function isGone(error: unknown): boolean {
  return error instanceof UpstreamError && error.statusCode === 404;
}

/** Whether only the absence from Stripe's sums says that pushes are lost; of those that it reported, Stripe itself does. */
function needsProof(verdict: HourVerdict, hours: readonly PairHour[]): boolean {
  if (verdict.withdrawIds.length === 0) return false;
  return (
    verdict.driftClass !== null ||
    hours.some((hour) => +hour.windowStart === +verdict.windowStart && hour.hasUnknown)
  );
}

/** Whether what Stripe does not show is lost: it shows something that was sent later. Else its sums may stand still. */
async function mayWithdraw(
  deps: JobDependencies,
  pair: BillingPair,
  verdicts: readonly HourVerdict[],
  hours: readonly PairHour[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (verdicts.length === 0) return true;
  const lost = new Set(verdicts.map((verdict) => +verdict.windowStart));
  const tries = hours.flatMap((hour) =>
    lost.has(+hour.windowStart) ? [hour.lastDeliveredAt, hour.unprovenTriedAt] : [],
  );
  const sentAt = new Date(Math.max(...tries.map((at) => at?.getTime() ?? 0)));
  return (await isOvertaken(deps, pair, sentAt, new Map(), signal)) === true;
}

function withoutWithdrawal(verdict: HourVerdict): HourVerdict[] {
  // Agreed, but for pushes of unknown outcome: they stay what they are.
  if (verdict.driftClass === null) return [];
  return [{ ...verdict, driftClass: 'push_unconfirmed', withdrawIds: [] }];
}

/** The hours that were known to differ, as they are now, and any other of the same days that does. */
async function readKnownDays(
  reader: PairReader,
  known: readonly OpenBillingDrift[],
  hours: readonly PairHour[],
  ripe: Ripeness,
): Promise<NarrowedHour[]> {
  const unripe = new Set(
    hours.filter((hour) => !isRipe(hour, ripe)).map((hour) => hour.windowStart.getTime()),
  );
  const isKnown = new Set(known.map((drift) => drift.windowStart.getTime()));
  const found: NarrowedHour[] = [];
  for (const day of new Set([...isKnown].map((hour) => Math.floor(hour / DAY_MS) * DAY_MS))) {
    const last = Math.max(...[...isKnown].filter((hour) => hour < day + DAY_MS));
    const end = new Date(Math.max(last + HOUR_MS, Math.min(day + DAY_MS, floorToHour(ripe.now).getTime())));
    found.push(...(await readHours(reader, { start: new Date(day), end }, hours)));
  }
  return found.filter((hour) => {
    const at = hour.windowStart.getTime();
    return !unripe.has(at) && (isKnown.has(at) || hour.counted !== hour.acknowledged);
  });
}

async function findDifferences(
  reader: PairReader,
  window: TimeWindow,
  hours: readonly PairHour[],
  purpose: 'routine' | 'doubt',
): Promise<NarrowedHour[]> {
  const totals = await reader.read(window, 'whole', purpose);
  const counted = [...totals.values()].reduce((sum, value) => sum + value, 0n);
  const acknowledged = hours.reduce(
    (sum, hour) =>
      hour.windowStart >= window.start && hour.windowStart < window.end ? sum + hour.acknowledged : sum,
    0n,
  );
  return counted === acknowledged ? [] : await narrow(reader, window, hours, acknowledged - counted);
}

async function judge(
  deps: JobDependencies,
  pair: BillingPair,
  differing: readonly NarrowedHour[],
  drifts: readonly OpenBillingDrift[],
  hours: readonly PairHour[],
  rules: ExplainRules,
): Promise<HourVerdict[]> {
  const firstSeen = new Map(drifts.map((drift) => [drift.windowStart.getTime(), drift.firstSeenAt]));
  const verdicts: HourVerdict[] = [];
  for (const hour of differing) {
    if (hour.acknowledged === hour.counted) {
      verdicts.push({ ...hour, driftClass: null, withdrawIds: [], confirmIds: [], offsetIds: [] });
      continue;
    }
    const { pushes, overwrites } = hours.some((one) => +one.windowStart === +hour.windowStart)
      ? await readHourPushes(deps.database, pair, hour.windowStart)
      : { pushes: [], overwrites: false };
    const firstSeenAt = firstSeen.get(hour.windowStart.getTime()) ?? null;
    verdicts.push({ ...hour, ...explainDifference({ ...hour, pushes, overwrites, firstSeenAt }, rules) });
  }
  return verdicts;
}

/** The sums agree without the pushes of unknown outcome: these did not count, and their usage is planned anew. */
function disproveUnproven(hours: readonly PairHour[], window: TimeWindow): HourVerdict[] {
  return hours
    .filter(
      (hour) =>
        hour.unprovenIds.length > 0 && hour.windowStart >= window.start && hour.windowStart < window.end,
    )
    .map((hour) => ({
      windowStart: hour.windowStart,
      acknowledged: hour.acknowledged,
      counted: hour.acknowledged,
      driftClass: null,
      withdrawIds: hour.unprovenIds,
      confirmIds: [],
      offsetIds: [],
    }));
}

/** When the pair is looked at again although nobody asks, and why. */
function nextLook(
  open: readonly HourVerdict[],
  now: Date,
  summaryLagMs: number,
  state: { isUnread: boolean; isPartial: boolean; isYoung: boolean; mayAppear: boolean },
): { at: Date; doubt: string } | null {
  const urgent = open.find((verdict) => verdict.driftClass !== 'unexplained');
  if (urgent !== undefined) return { at: addMs(now, summaryLagMs), doubt: urgent.driftClass ?? '' };
  if (state.isUnread) return { at: addMs(now, summaryLagMs), doubt: 'a difference not looked at again yet' };
  if (state.isYoung) return { at: addMs(now, summaryLagMs), doubt: 'push of unknown outcome' };
  if (open.length > 0) return { at: addMs(now, UNEXPLAINED_AGAIN_MS), doubt: 'unexplained' };
  // Only some days were read: the whole has its turn now.
  if (state.isPartial) return { at: now, doubt: 'a difference is gone' };
  return state.mayAppear ? { at: addMs(now, DAY_MS), doubt: 'a lost push may yet appear' } : null;
}
