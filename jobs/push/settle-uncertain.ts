import { withdrawPush } from '../../src/billing/late-pushes.ts';
import {
  markPushesDelivered,
  markPushRefused,
  type PendingPush,
  sumDelivered,
} from '../../src/billing/meter-pushes.ts';
import { takeStripeRead } from '../../src/billing/stripe-reads.ts';
import { addMs, HOUR_MS } from '../../src/platform/clock.ts';
import { LEGACY_METER_PREFIX } from '../../src/stripe/port.ts';
import type { JobDependencies } from '../dependencies.ts';

/** Stripe keeps identifiers for at least 24 hours; an hour is kept in hand. */
export const IDENTIFIER_SAFE_MS = 23 * HOUR_MS;

const TOO_LATE = 'its invoice may be final; planned anew';

/**
 * Decides what becomes of a pending push before it is sent (again). One that was tried longer ago than Stripe
 * remembers its identifier could charge twice; one whose invoice may be final would be taken and never billed.
 * Stripe's own summary of the hour tells whether it counted. A total that is neither with nor without the push
 * is left to a person. A meter that keeps an hour's newest value may be told it at any time before its invoice.
 * @returns `send`; `send_uncounted` when it may be sent because Stripe has certainly not counted it; `settled`
 *   when it needs no sending, or not now; `unread` when only Stripe could tell and the day's reads are used up: it
 *   waits for the next UTC day
 * @throws UpstreamError when Stripe cannot be asked, or refuses to tell
 */
export async function settleUncertain(
  deps: JobDependencies,
  push: PendingPush,
  signal?: AbortSignal,
): Promise<'send' | 'send_uncounted' | 'settled' | 'unread'> {
  const now = deps.clock.now();
  if (push.firstAttemptAt === null) {
    if (!push.mayBeTooLate) return 'send';
    await withdrawPush(deps.database, push, TOO_LATE);
    return 'settled';
  }
  const isRemembered = now.getTime() - push.firstAttemptAt.getTime() < IDENTIFIER_SAFE_MS;
  if (!push.mayBeTooLate && (push.overwrites || isRemembered)) return 'send';
  if (push.stripeMeterId.startsWith(LEGACY_METER_PREFIX)) {
    const reason = 'outcome unknown: usage records cannot be read back by the hour';
    await markPushRefused(deps.database, push.meterPushId, reason, { isUnproven: true });
    return 'settled';
  }
  // Of a late one the absence must be certain, too: what it adds is billed elsewhere.
  const shownFrom = addMs(push.lastAttemptAt ?? push.firstAttemptAt, deps.settings.summaryLagMs);
  if (push.mayBeTooLate && shownFrom > now) return 'settled';
  const limitPerDay = deps.settings.stripeDoubtReadsPerDay;
  if (!(await takeStripeRead(deps.database, { purpose: 'doubt', now, limitPerDay }))) return 'unread';
  const window = { start: push.windowStart, end: addMs(push.windowStart, HOUR_MS) };
  const summaries = await deps.billing.readEventSummaries(
    { stripeMeterId: push.stripeMeterId, stripeCustomerId: push.stripeCustomerId, window },
    signal,
  );
  const counted = summaries.reduce((sum, summary) => sum + summary.value, 0n);
  const acknowledged = await sumDelivered(deps.database, push);
  if (counted === acknowledged + push.deltaTokenCount) {
    await markPushesDelivered(deps.database, [push.meterPushId], now);
    return 'settled';
  }
  if (counted === acknowledged) {
    if (!push.mayBeTooLate) return 'send_uncounted';
    await withdrawPush(deps.database, push, TOO_LATE);
    return 'settled';
  }
  const reason = `outcome unknown: Stripe counts ${counted} for the hour, acknowledged pushes say ${acknowledged}`;
  await markPushRefused(deps.database, push.meterPushId, reason, { isUnproven: true });
  deps.log.error({ meterPushId: String(push.meterPushId), reason }, 'A push cannot be proven either way');
  return 'settled';
}
