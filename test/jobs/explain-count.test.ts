import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DoubtfulPush, explainCount } from '../../jobs/push/explain-count.ts';

const HOUR = new Date('2026-10-01T00:00:00Z');
const pushesOf = (deltas: readonly bigint[], changes: Partial<DoubtfulPush> = {}): DoubtfulPush[] =>
  deltas.map((deltaTokenCount, index) => ({
    meterPushId: BigInt(index),
    deltaTokenCount,
    eventTimestamp: HOUR,
    isHeld: false,
    ...changes,
  }));
const ids = (explained: ReturnType<typeof explainCount>) =>
  explained === null ? null : { counted: [...explained.counted], uncounted: [...explained.uncounted] };

describe('explaining a count', () => {
  it('finds a total that is right once the others are sent, whichever pushes were counted', () => {
    const delta = fc.bigInt({ min: -3n, max: 3n }).filter((value) => value !== 0n);
    fc.assert(
      fc.property(fc.array(fc.tuple(delta, fc.boolean()), { maxLength: 8 }), (drawn) => {
        const pushes = pushesOf(drawn.map(([value]) => value));
        const extra = drawn.reduce((sum, [value, isCounted]) => sum + (isCounted ? value : 0n), 0n);
        const explained = explainCount(extra, pushes, false);
        const sumOf = (set: ReadonlySet<bigint> | undefined) =>
          pushes.reduce((sum, push) => sum + (set?.has(push.meterPushId) ? push.deltaTokenCount : 0n), 0n);
        expect(sumOf(explained?.counted)).toBe(extra);
        expect((explained?.counted.size ?? 0) + (explained?.uncounted.size ?? 0)).toBe(pushes.length);
      }),
    );
  });

  it('takes the earlier of equals, and leaves open what differs in its period or is held', () => {
    const equals = pushesOf([5n, 5n]);
    expect(ids(explainCount(5n, equals, false))).toEqual({ counted: [0n], uncounted: [1n] });
    const [one, other] = equals;
    if (one === undefined || other === undefined) throw new RangeError('two pushes');
    const later = { ...other, eventTimestamp: new Date(HOUR.getTime() + 60_000) };
    expect(ids(explainCount(5n, [one, later], false))).toEqual({ counted: [], uncounted: [] });
    expect(ids(explainCount(10n, [one, later], false))).toEqual({ counted: [0n, 1n], uncounted: [] });
    expect(ids(explainCount(5n, [{ ...one, isHeld: true }, other], false))).toEqual({
      counted: [],
      uncounted: [],
    });
  });

  it('knows that the newest value covers those before it, and that no other total can be', () => {
    const pushes = pushesOf([100n, 7n, 3n]);
    expect(ids(explainCount(107n, pushes, true))).toEqual({ counted: [0n, 1n], uncounted: [2n] });
    expect(explainCount(7n, pushes, true)).toBeNull();
    expect(explainCount(6n, pushes, false)).toBeNull();
  });
});
