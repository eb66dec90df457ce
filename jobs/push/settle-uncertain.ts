import { type HourAttempt, readHourAttempts } from '../../src/billing/hour-attempts.ts';
import { withdrawPush } from '../../src/billing/late-pushes.ts';
import { endSummaryWait } from '../../src/billing/later-pushes.ts';
import { markPushesDelivered, markPushRefused, type PendingPush } from '../../src/billing/meter-pushes.ts';
import { refundUnanswered, takeStripeRead } from '../../src/billing/stripe-reads.ts';
import { addMs, HOUR_MS } from '../../src/platform/clock.ts';
import { LEGACY_METER_PREFIX } from '../../src/stripe/port.ts';
import type { JobDependencies } from '../dependencies.ts';
import { explainCount } from './explain-count.ts';
import { isOvertaken, waitsForSummaries } from './overtaken.ts';

/** Stripe keeps identifiers for at least 24 hours; an hour is kept in hand. */
const IDENTIFIER_SAFE_MS = 23 * HOUR_MS;

const TOO_LATE = 'its invoice may be final; planned anew';

/** What the pushes of one run know of each other. */
export interface DoubtRun {
  /** Commits what was delivered so far: what Stripe counts is held against it. */
  flushDeliveries(): Promise<void>;
  /** Pushes that a sum read for another one of their hour has shown not to be counted. */
  uncounted: Set<bigint>;
  /** What Stripe's summaries were seen to show; see `isOvertaken`. */
  shown: Map<string, Date>;
}

/** Whether Stripe certainly still knows the push's identifier, if it ever took it. */
function isRemembered(firstAttemptAt: Date, now: Date): boolean {
  return now.getTime() - firstAttemptAt.getTime() < IDENTIFIER_SAFE_MS;
}

/** Whether the push may be sent whatever became of it before, and its invoice waits for it. */
export function needsNoProof(push: PendingPush, now: Date): boolean {
  if (push.doubt !== null) return false;
  return push.firstAttemptAt === null || push.overwrites || isRemembered(push.firstAttemptAt, now);
}

/**
 * Decides what becomes of a pending push before it is sent (again). One that was tried longer ago than Stripe
 * remembers its identifier could charge twice; one whose invoice may be final would be taken and never billed. Of which
 * the catalog is too old to tell, it waits for the catalog's refresh.
 * Stripe's own summary of the hour tells whether it counted, once it must show everything else that was sent for the
 * hour: until then the push waits. Pushes of one hour are explained together. A total that none of them explains is
 * left to a person. Nothing is concluded from what the sum lacks before Stripe shows something sent later. A meter that keeps an hour's newest value may be told it at any time before its invoice.
 * @returns `send`; `send_uncounted` when it may be sent because Stripe has certainly not counted it; `settled`
 *   when it needs no sending, or not now; `unread` when only Stripe could tell and the day's reads are used up: it
 *   waits for the next UTC day
 * @throws UpstreamError when Stripe cannot be asked, or refuses to tell
 */
export async function settleUncertain(
  deps: JobDependencies,
  push: PendingPush,
  run: DoubtRun,
  signal?: AbortSignal,
): Promise<'send' | 'send_uncounted' | 'settled' | 'unread'> {
  const now = deps.clock.now();
  if (needsNoProof(push, now)) return 'send';
  // Whether the draft is open is asked of the catalog first: if so, nothing need be proven, and no read is spent.
  if (push.doubt === 'stale_catalog') return 'settled';
  if (push.firstAttemptAt === null || run.uncounted.has(push.meterPushId))
    return await sendOrWithdraw(deps, push);
  if (push.stripeMeterId.startsWith(LEGACY_METER_PREFIX)) {
    const reason = 'outcome unknown: usage records cannot be read back by the hour';
    await markPushRefused(deps.database, push.meterPushId, reason, { isUnproven: true });
    return 'settled';
  }
  await run.flushDeliveries();
  const attempts = await readHourAttempts(deps.database, push);
  if (mustWait(push, attempts, now, deps.settings.summaryLagMs)) return 'settled';
  if (await waitsForSummaries(deps, push)) return 'settled';
  const read = { purpose: 'doubt', now, limitPerDay: deps.settings.stripeDoubtReadsPerDay } as const;
  if (!(await takeStripeRead(deps.database, read))) return 'unread';
  const window = { start: push.windowStart, end: addMs(push.windowStart, HOUR_MS) };
  const { stripeMeterId, stripeCustomerId } = push;
  const summaries = await refundUnanswered(deps.database, read, () =>
    deps.billing.readEventSummaries({ stripeMeterId, stripeCustomerId, window }, signal),
  );
  const counted = summaries.reduce((sum, summary) => sum + summary.value, 0n);
  const acknowledged = attempts.reduce(
    (sum, { status, deltaTokenCount }) => sum + (status === 'delivered' ? deltaTokenCount : 0n),
    0n,
  );
  const doubtful = attempts.filter(({ status }) => status !== 'delivered');
  const explained = explainCount(
    counted - acknowledged,
    doubtful.map((attempt) => ({ ...attempt, isHeld: attempt.status === 'refused' })),
    push.overwrites,
  );
  if (explained?.counted.has(push.meterPushId) !== true) {
    const sum = { attempts, showsAcknowledged: explained !== null };
    const passed = await hasPassed(deps, push, sum, run, signal);
    if (passed !== true) return passed === 'unread' ? 'unread' : 'settled';
  }
  // The sums show it, or something later: they are waited for no more.
  await endSummaryWait(deps.database, push);
  const pendingIds = doubtful
    .filter(({ status }) => status === 'pending')
    .map(({ meterPushId }) => meterPushId);
  if (explained !== null) {
    const deliveredIds = pendingIds.filter((id) => explained.counted.has(id));
    if (deliveredIds.length > 0) await markPushesDelivered(deps.database, deliveredIds, now);
    for (const id of pendingIds) if (explained.uncounted.has(id)) run.uncounted.add(id);
    if (explained.counted.has(push.meterPushId)) return 'settled';
    if (explained.uncounted.has(push.meterPushId)) return await sendOrWithdraw(deps, push);
  }
  const reason = `outcome unknown: Stripe counts ${counted} for the hour, acknowledged pushes say ${acknowledged}`;
  await markPushRefused(deps.database, push.meterPushId, reason, { isUnproven: true });
  deps.log.error({ meterPushId: String(push.meterPushId), reason }, 'A push cannot be proven either way');
  return 'settled';
}

/**
 * Whether the sum that was read has passed the pushes in doubt: it shows an acknowledged one of the same hour that was sent
 * later, or Stripe shows something later elsewhere.
 */
async function hasPassed(
  deps: JobDependencies,
  push: PendingPush,
  sum: { attempts: readonly HourAttempt[]; showsAcknowledged: boolean },
  run: DoubtRun,
  signal: AbortSignal | undefined,
): Promise<boolean | 'unread'> {
  const tries = sum.attempts.flatMap(({ status, lastTriedAt }) =>
    status === 'delivered' ? [] : [lastTriedAt],
  );
  const sentAt = [push.lastAttemptAt, ...tries].reduce<Date>(
    (latest, at) => (at !== null && at > latest ? at : latest),
    push.firstAttemptAt ?? new Date(0),
  );
  const after = addMs(sentAt, deps.settings.summaryLagMs);
  const showsLater = sum.attempts.some(
    ({ status, firstAttemptAt }) =>
      status === 'delivered' && firstAttemptAt !== null && firstAttemptAt >= after,
  );
  if (sum.showsAcknowledged && showsLater) return true;
  return await isOvertaken(deps, push, sentAt, run.shown, signal);
}

/** A push that Stripe has not counted: what may be too late for its invoice is billed elsewhere. */
async function sendOrWithdraw(
  deps: JobDependencies,
  push: PendingPush,
): Promise<'send_uncounted' | 'settled'> {
  if (push.doubt === null) return 'send_uncounted';
  await withdrawPush(deps.database, push, TOO_LATE);
  return 'settled';
}

/**
 * Whether Stripe's sum of the hour cannot be read for sure yet: it may lack what was sent within the lag, or another push
 * is still to be asked about by its identifier, which is the surer answer. An attempt of the push itself so young is
 * remembered by its identifier. It is waited for where the absence must be certain: when it is too late, as what it adds
 * is then billed elsewhere, and when other pushes are in doubt, which could explain the sum in its place.
 */
function mustWait(
  push: PendingPush,
  attempts: readonly HourAttempt[],
  now: Date,
  summaryLagMs: number,
): boolean {
  const isHidden = (triedAt: Date | null) => triedAt !== null && addMs(triedAt, summaryLagMs) > now;
  const others = attempts.filter(({ meterPushId }) => meterPushId !== push.meterPushId);
  const mustShow = push.doubt !== null || others.some(({ status }) => status !== 'delivered');
  if (mustShow && isHidden(push.lastAttemptAt ?? push.firstAttemptAt)) return true;
  return others.some(
    ({ status, firstAttemptAt, lastTriedAt }) =>
      isHidden(lastTriedAt) ||
      (push.doubt === null &&
        status === 'pending' &&
        firstAttemptAt !== null &&
        isRemembered(firstAttemptAt, now)),
  );
}
