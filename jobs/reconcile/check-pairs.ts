import { countStripeReads } from '../../src/billing/stripe-reads.ts';
import { addMs, DAY_MS, type TimeWindow } from '../../src/platform/clock.ts';
import { type BillingPair, samplePairs } from '../../src/reconciliation/billing-checks.ts';
import type { JobDependencies } from '../dependencies.ts';
import { checkPair } from './check-pair.ts';

export interface PairsOutcome {
  pairCount: number;
  stripeReadCount: number;
  /** Customer-hours in which Stripe counts something else than it acknowledged. */
  billingDriftCount: number;
  unexplainedCount: number;
  /** Pushes withdrawn to be planned anew, found to have counted after all, or offset. */
  repairedPushCount: number;
  /** Pairs that the budget left for another day. */
  unreadPairCount: number;
}

export function noPairs(): PairsOutcome {
  return {
    pairCount: 0,
    stripeReadCount: 0,
    billingDriftCount: 0,
    unexplainedCount: 0,
    repairedPushCount: 0,
    unreadPairCount: 0,
  };
}

/**
 * Checks pairs one after the other into `outcome`; stops where the budget ends. `asked`: over this window, and not
 * only what has not agreed yet.
 */
export async function checkPairs(
  deps: JobDependencies,
  pairs: readonly BillingPair[],
  purpose: 'routine' | 'doubt',
  outcome: PairsOutcome,
  signal?: AbortSignal,
  asked: TimeWindow | null = null,
): Promise<void> {
  for (const [index, pair] of pairs.entries()) {
    signal?.throwIfAborted();
    const checked = await checkPair(deps, pair, purpose, asked, signal);
    outcome.stripeReadCount += checked.readCount;
    outcome.billingDriftCount += checked.driftCount;
    outcome.unexplainedCount += checked.unexplainedCount;
    outcome.repairedPushCount += checked.repairedPushCount;
    if (!checked.isDone) {
      outcome.unreadPairCount += pairs.length - index;
      return;
    }
    outcome.pairCount += 1;
  }
}

/**
 * Checks as many pairs as the day's sample allows by now, spread over the day, so that a loss is found soon
 * and not only at midnight. In turns the pair with most tokens not yet agreed on, and the one looked at
 * longest ago.
 */
export async function checkSample(
  deps: JobDependencies,
  outcome: PairsOutcome,
  signal?: AbortSignal,
): Promise<void> {
  const { database, clock, settings } = deps;
  const now = clock.now();
  const dayPart = ((now.getTime() % DAY_MS) + 1) / DAY_MS;
  const allowed = Math.ceil(settings.stripeReadsPerDay * dayPart);
  for (let used = await countStripeReads(database, 'routine', now); used < allowed; used += 1) {
    const [pair] = await samplePairs(database, {
      by: used % 2 === 0 ? 'tokens' : 'rotation',
      now,
      deliveredBefore: addMs(now, -settings.summaryLagMs),
      limit: 1,
    });
    if (pair === undefined) return;
    await checkPairs(deps, [pair], 'routine', outcome, signal);
  }
}
