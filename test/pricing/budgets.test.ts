import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BudgetStep, stepKey } from '../../pricing/budgets/budget.ts';
import { judgeSteps } from '../../pricing/budgets/judge.ts';
import { hourlyRateOf, overshootOf } from '../../pricing/budgets/overshoot.ts';
import { windowAt, windowBefore } from '../../pricing/budgets/windows.ts';

const instants = fc.date({
  min: new Date('2020-01-01T00:00:00Z'),
  max: new Date('2035-01-01T00:00:00Z'),
  noInvalidDate: true,
});

describe('windows of budgets', () => {
  it('hold their instant, half-open, and lie side by side', () => {
    const periods = fc.constantFrom('day' as const, 'week' as const, 'month' as const);
    fc.assert(
      fc.property(periods, instants, (period, now) => {
        const terms = { period, rollingDayCount: null };
        const window = windowAt(terms, now, null);
        if (window === null) throw new Error('no window');
        expect(window.start <= now && now < window.end).toBe(true);
        expect(windowAt(terms, window.start, null)).toEqual(window);
        expect(windowAt(terms, window.end, null)?.start).toEqual(window.end);
        expect(windowBefore(terms, window).end).toEqual(window.start);
      }),
    );
  });

  it('roll by whole days and end with the one that runs', () => {
    const now = new Date('2026-11-20T14:20:00Z');
    expect(windowAt({ period: 'rolling_days', rollingDayCount: 7 }, now, null)).toEqual({
      start: new Date('2026-11-14T00:00:00Z'),
      end: new Date('2026-11-21T00:00:00Z'),
    });
    expect(windowAt({ period: 'week', rollingDayCount: null }, now, null)?.start).toEqual(
      new Date('2026-11-16T00:00:00Z'),
    );
    const billing = { start: new Date('2026-11-03T09:41:00Z'), end: new Date('2026-12-03T09:41:00Z') };
    expect(windowAt({ period: 'billing_period', rollingDayCount: null }, now, billing)).toEqual({
      start: new Date('2026-11-03T09:00:00Z'),
      end: new Date('2026-12-03T09:00:00Z'),
    });
  });
});

describe('steps of budgets', () => {
  const steps: BudgetStep[] = [
    { sharePermille: 500, on: 'actual', action: 'tell' },
    { sharePermille: 1_000, on: 'actual', action: 'stop' },
    { sharePermille: 1_000, on: 'forecast', action: 'tell' },
  ];
  const ask = (used: bigint, effectiveLimit: bigint, open: Parameters<typeof judgeSteps>[0]['open']) =>
    judgeSteps({
      steps,
      standing: { used, forecast: used * 2n, effectiveLimit },
      open,
      isGraced: false,
      isOverridden: false,
      isOver: false,
    });

  it('are told of once and withdrawn once, however use and limit move', () => {
    const moves = fc.array(fc.tuple(fc.bigInt(0n, 300n), fc.bigInt(1n, 200n)), { maxLength: 12 });
    fc.assert(
      fc.property(moves, (path) => {
        let open: { stepEventId: bigint; stepKey: string; effectiveLimit: bigint }[] = [];
        let id = 0n;
        for (const [used, effectiveLimit] of path) {
          const { reached, withdrawn } = ask(used, effectiveLimit, open);
          const gone = new Set(withdrawn.map(({ stepEventId }) => stepEventId));
          open = open.filter(({ stepEventId }) => !gone.has(stepEventId));
          for (const step of reached) {
            id += 1n;
            open.push({ stepEventId: id, stepKey: stepKey(step), effectiveLimit });
          }
          expect(new Set(open.map((event) => event.stepKey)).size).toBe(open.length);
          expect(ask(used, effectiveLimit, open)).toEqual({ reached: [], withdrawn: [] });
          expect(open.some((event) => event.stepKey === 'actual-1000-stop')).toBe(used >= effectiveLimit);
        }
      }),
    );
  });

  it('may come too late for what is used while data is on its way', () => {
    expect(overshootOf(hourlyRateOf(120n, 7_200_000), 29 * 60_000)).toBe(30n);
    expect(overshootOf(hourlyRateOf(0n, 1), 1_000_000)).toBe(0n);
  });
});
