import { describe, expect, it } from 'vitest';
import { explainDifference, type HourDifference } from '../../jobs/reconcile/explain.ts';
import type { HourPush } from '../../src/reconciliation/billing-drifts.ts';

const HOUR_MS = 3_600_000;
const rules = {
  now: new Date(100 * HOUR_MS),
  lostAfterMs: 6 * HOUR_MS,
  summaryLagMs: 2 * HOUR_MS,
  observedLagMs: 0,
};

function makePush(changes: Partial<HourPush> & { meterPushId: bigint }): HourPush {
  return {
    revision: Number(changes.meterPushId),
    deltaTokenCount: 100n,
    status: 'delivered',
    isUnproven: false,
    isOffset: false,
    deliveredAt: new Date(50 * HOUR_MS),
    ...changes,
  };
}

const explain = (difference: Partial<HourDifference> & Pick<HourDifference, 'acknowledged' | 'counted'>) =>
  explainDifference(
    { pushes: [], firstSeenAt: new Date(90 * HOUR_MS), overwrites: false, ...difference },
    rules,
  );

describe('explaining what Stripe counts', () => {
  const pushes = [
    makePush({ meterPushId: 1n, deltaTokenCount: 100n }),
    makePush({ meterPushId: 2n, deltaTokenCount: 7n }),
  ];

  it('finds the push that is missing, and withdraws it', () => {
    expect(explain({ acknowledged: 107n, counted: 100n, pushes })).toEqual({
      driftClass: 'refused_by_stripe',
      withdrawIds: [2n],
      confirmIds: [],
      offsetIds: [],
    });
    expect(explain({ acknowledged: 107n, counted: 0n, pushes })).toMatchObject({
      withdrawIds: [2n, 1n],
    });
  });

  it('only waits after one reading, or while the delivery is young', () => {
    const waiting = { driftClass: 'push_unconfirmed', withdrawIds: [] };
    expect(explain({ acknowledged: 107n, counted: 100n, pushes, firstSeenAt: null })).toMatchObject(waiting);
    expect(
      explain({ acknowledged: 107n, counted: 100n, pushes, firstSeenAt: new Date(99 * HOUR_MS) }),
    ).toMatchObject(waiting);
    const young = pushes.map((push) => ({ ...push, deliveredAt: new Date(95 * HOUR_MS) }));
    expect(explain({ acknowledged: 107n, counted: 100n, pushes: young })).toMatchObject(waiting);
  });

  it('explains nothing by numbers that do not add up', () => {
    for (const counted of [99n, 101n, 200n, -5n]) {
      expect(explain({ acknowledged: 107n, counted, pushes })).toMatchObject({
        driftClass: 'unexplained',
        withdrawIds: [],
        offsetIds: [],
      });
    }
    expect(explain({ acknowledged: 0n, counted: 55n })).toMatchObject({ driftClass: 'unexplained' });
  });

  it('knows a push of unknown outcome that did count', () => {
    const unproven = makePush({ meterPushId: 3n, deltaTokenCount: 40n, status: 'refused', isUnproven: true });
    expect(explain({ acknowledged: 107n, counted: 147n, pushes: [...pushes, unproven] })).toMatchObject({
      driftClass: 'push_unconfirmed',
      confirmIds: [3n],
    });
    const refused = { ...unproven, isUnproven: false, deliveredAt: null };
    expect(explain({ acknowledged: 107n, counted: 147n, pushes: [...pushes, refused] })).toMatchObject({
      driftClass: 'unexplained',
    });
  });

  it('takes back what a lost push adds when it appears after all', () => {
    const withdrawn = makePush({ meterPushId: 2n, deltaTokenCount: 7n, status: 'withdrawn' });
    const again = makePush({ meterPushId: 3n, deltaTokenCount: 7n });
    const now = [makePush({ meterPushId: 1n }), withdrawn, again];
    expect(explain({ acknowledged: 107n, counted: 114n, pushes: now })).toMatchObject({
      driftClass: 'counted_twice',
      offsetIds: [2n],
    });
    // A meter that keeps the newest value has nothing to take back.
    expect(explain({ acknowledged: 107n, counted: 114n, pushes: now, overwrites: true })).toMatchObject({
      driftClass: 'unexplained',
      offsetIds: [],
    });
  });
});
