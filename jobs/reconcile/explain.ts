import { addMs } from '../../src/platform/clock.ts';
import type { BillingDriftClass, HourPush } from '../../src/reconciliation/billing-drifts.ts';

/** More pushes of one hour than this are not tried in all combinations. */
const COMBINED_PUSH_LIMIT = 12;

export interface HourDifference {
  /** What Stripe acknowledged for the hour, and what its summary counts. */
  acknowledged: bigint;
  counted: bigint;
  pushes: readonly HourPush[];
  /** When this difference was first read, null when just now. */
  firstSeenAt: Date | null;
  /** The meter keeps an hour's newest value: there is nothing to take back. */
  overwrites: boolean;
}

export interface ExplainRules {
  now: Date;
  /** A push that Stripe does not show so long after it took it is lost. */
  lostAfterMs: number;
  /** Two readings that far apart must agree before anything is done. */
  summaryLagMs: number;
  /** How late Stripe has shown itself to be. */
  observedLagMs: number;
}

export interface Explanation {
  driftClass: BillingDriftClass;
  /** Pushes that Stripe lost: withdrawn, so that their usage is planned anew. */
  withdrawIds: readonly bigint[];
  /** Pushes of unknown outcome that did count. */
  confirmIds: readonly bigint[];
  /** Withdrawn pushes that appeared after all: they count again, and what they add is taken back. */
  offsetIds: readonly bigint[];
}

const NOTHING = { withdrawIds: [], confirmIds: [], offsetIds: [] };

/**
 * Says why Stripe's sum of an hour differs, and what to do. Only pushes whose values add up to exactly the
 * difference explain it; anything else is left to a person, because somebody else may send to the meter.
 */
export function explainDifference(difference: HourDifference, rules: ExplainRules): Explanation {
  const missing = difference.acknowledged - difference.counted;
  const isConfirmed =
    difference.firstSeenAt !== null && addMs(difference.firstSeenAt, rules.summaryLagMs) <= rules.now;
  if (missing === 0n) throw new RangeError('There is no difference to explain.');
  const idsOf = (pushes: readonly HourPush[]) => pushes.map((push) => push.meterPushId);

  if (missing < 0n && !difference.overwrites) {
    // One that was acknowledged before it was reported as refused may have counted after all.
    const unproven = difference.pushes.filter(
      (push) => push.status === 'refused' && (push.isUnproven || push.deliveredAt !== null),
    );
    const withdrawn = difference.pushes.filter((push) => push.status === 'withdrawn');
    const extra = findSum([...unproven, ...withdrawn], -missing);
    if (extra !== null) {
      const offset = extra.filter((push) => push.status === 'withdrawn');
      const driftClass = offset.length > 0 ? 'counted_twice' : 'push_unconfirmed';
      if (!isConfirmed) return { ...NOTHING, driftClass };
      const confirmed = extra.filter((push) => push.status === 'refused');
      return { driftClass, withdrawIds: [], confirmIds: idsOf(confirmed), offsetIds: idsOf(offset) };
    }
  }
  const lost = findSum(
    difference.pushes.filter((push) => push.status === 'delivered'),
    missing,
  );
  if (lost !== null) {
    // Each repair before says that Stripe was slower than believed: the next one waits twice as long.
    const repairCount = difference.pushes.filter(
      (push) => push.isOffset || push.status === 'withdrawn',
    ).length;
    const patienceMs = Math.max(growPatience(rules.lostAfterMs, repairCount), 2 * rules.observedLagMs);
    const isLost = lost.every(
      (push) => push.deliveredAt !== null && addMs(push.deliveredAt, patienceMs) <= rules.now,
    );
    if (!isLost || !isConfirmed) return { ...NOTHING, driftClass: 'push_unconfirmed' };
    return { ...NOTHING, driftClass: 'refused_by_stripe', withdrawIds: idsOf(lost) };
  }
  return { ...NOTHING, driftClass: 'unexplained' };
}

/** Patience with an hour doubles with every repair of it, up to 32 times. */
export function growPatience(waitMs: number, repairCount: number): number {
  return waitMs * 2 ** Math.min(repairCount, 5);
}

/** Fewest pushes whose deltas add up to `sum`, the newest preferred; null when none do. */
function findSum(pushes: readonly HourPush[], sum: bigint): HourPush[] | null {
  const candidates = pushes
    .filter((push) => push.deltaTokenCount !== 0n)
    .sort((one, other) => other.revision - one.revision)
    .slice(0, COMBINED_PUSH_LIMIT);
  let best: HourPush[] | null = null;
  for (let mask = 1; mask < 2 ** candidates.length; mask += 1) {
    const chosen = candidates.filter((_, index) => (mask & (1 << index)) !== 0);
    if (best !== null && chosen.length >= best.length) continue;
    if (chosen.reduce((total, push) => total + push.deltaTokenCount, 0n) === sum) best = chosen;
  }
  return best;
}
