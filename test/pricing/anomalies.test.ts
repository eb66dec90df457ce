import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideFinding, EXPLANATIONS, type FindingFacts } from '../../pricing/anomalies/decide.ts';
import { type HourUsage, NO_USAGE, type PartUsage } from '../../pricing/anomalies/hour.ts';
import { judgeCreep } from '../../pricing/anomalies/judge-creep.ts';
import { judgeDay } from '../../pricing/anomalies/judge-day.ts';
import { type HourBefore, judgeHour } from '../../pricing/anomalies/judge-hour.ts';
import { RULES } from '../../pricing/anomalies/rules.ts';

const USD = 1_000_000_000_000n;

/** An hour of one or of several users. */
function hourOf(costPicoUsd: bigint, more: Partial<HourUsage> = {}): HourUsage {
  return {
    ...NO_USAGE,
    costPicoUsd,
    topUserCostPicoUsd: costPicoUsd / 3n,
    requestCount: 60n,
    topUserRequestCount: 20n,
    tokenCount: 60_000n,
    userCount: 5,
    ...more,
  };
}

const cost = fc.bigInt({ min: 0n, max: 1_000_000n * USD });
const samples = (count: number) =>
  fc.array(
    cost.map((value) => hourOf(value)),
    { minLength: count, maxLength: count },
  );
const before: fc.Arbitrary<HourBefore> = fc.record({
  sameWeekday: samples(RULES.sameWeekdayWeeks),
  sameHour: samples(RULES.sameHourDays),
  peaks: fc.constant([]),
  historyDays: fc.integer({ min: RULES.leastHistoryDays, max: 400 }),
});

describe('the robust rule', () => {
  it('never says less of an hour that cost more', () => {
    fc.assert(
      fc.property(before, cost, cost, (known, one, other) => {
        const [low, high] = one < other ? [one, other] : [other, one];
        const [less, more] = [judgeHour(hourOf(low), known), judgeHour(hourOf(high), known)];
        expect(more.score ?? 0).toBeGreaterThanOrEqual(less.score ?? 0);
        expect(more.excessPicoUsd).toBeGreaterThanOrEqual(
          less.moved === 'customer' ? less.excessPicoUsd : 0n,
        );
      }),
    );
  });

  it('says nothing while every weekday was not seen once', () => {
    fc.assert(
      fc.property(
        before,
        cost,
        fc.integer({ min: -5, max: RULES.leastHistoryDays - 1 }),
        (known, value, historyDays) => {
          expect(judgeHour(hourOf(value), { ...known, historyDays })).toMatchObject({
            score: null,
            moved: null,
            excessPicoUsd: 0n,
          });
        },
      ),
    );
  });

  it('says of a first hour after nothing no more than what it is', () => {
    const nothing = Array.from({ length: 14 }, () => hourOf(0n, NO_USAGE));
    const known = { sameWeekday: nothing.slice(0, 8), sameHour: nothing, peaks: [], historyDays: 100 };
    const { score, moved } = judgeHour(hourOf(USD / 20n, { topUserRequestCount: 2n }), known);
    expect(score).toBeLessThan(RULES.customerScore);
    expect(moved).toBeNull();
    expect(judgeHour(hourOf(USD), known)).toMatchObject({ score: 50, moved: 'customer' });
  });

  it('is not moved by up to three wild weeks of eight, where the mean is', () => {
    const calm = Array.from({ length: 8 }, () => hourOf(USD));
    const known = { sameHour: calm, peaks: [], historyDays: 100 };
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 10n * USD, max: 1_000_000n * USD }), { minLength: 1, maxLength: 3 }),
        (wild) => {
          const sameWeekday = [...calm.slice(wild.length), ...wild.map((value) => hourOf(value))];
          expect(judgeHour(hourOf(10n * USD), { ...known, sameWeekday })).toMatchObject({
            moved: 'customer',
            usualPicoUsd: USD,
            excessPicoUsd: 9n * USD,
          });
        },
      ),
    );
  });

  it('takes hours without usage for what they are', () => {
    const none = Array.from({ length: 14 }, () => NO_USAGE);
    const known = { sameWeekday: none.slice(0, 8), sameHour: none, peaks: [], historyDays: 60 };
    expect(judgeHour(NO_USAGE, known)).toMatchObject({ score: 0, moved: null });
    expect(judgeHour(hourOf(USD), known)).toMatchObject({
      moved: 'customer',
      usualPicoUsd: 0n,
      excessPicoUsd: USD,
    });
  });

  it('does not tell of one user for what several days have seen', () => {
    const calm = Array.from({ length: 14 }, () =>
      hourOf(100n * USD, { topUserCostPicoUsd: USD, topUserRequestCount: 5n }),
    );
    const hour = hourOf(110n * USD, { topUserCostPicoUsd: 11n * USD, topUserRequestCount: 90n });
    const known = { sameWeekday: calm.slice(0, 8), sameHour: calm, historyDays: 60 };
    const peaks = (busy: number) =>
      Array.from({ length: 30 }, (_, day) => ({
        topUserCostPicoUsd: day < busy ? 20n * USD : USD,
        topUserRequestCount: day < busy ? 99n : 9n,
      }));
    expect(judgeHour(hour, { ...known, peaks: peaks(3) })).toMatchObject({
      moved: 'user',
      excessPicoUsd: 10n * USD,
    });
    expect(judgeHour(hour, { ...known, peaks: peaks(4) })).toMatchObject({ moved: null, excessPicoUsd: 0n });
  });
});

describe('the rule of two sigmas', () => {
  it('is the sum that one would write in SQL', () => {
    // The demo's customer: days near 0.68, and one of 14.56.
    const days = Array.from({ length: 30 }, (_, day) => (USD * BigInt(68 + ((day * 37) % 41) - 20)) / 100n);
    const costs = days.map((value) => Number(value) / 1e12);
    const mean = costs.reduce((sum, value) => sum + value, 0) / 30;
    const deviation = Math.sqrt(costs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 29);
    const judged = judgeDay((USD * 1_456n) / 100n, days);
    expect(judged.score).toBeCloseTo((14.56 - mean) / deviation, 6);
    expect(judged.isAbove).toBe(true);
  });

  it('says too little of three days of history', () => {
    expect(judgeDay(100n * USD, [USD, USD, USD])).toEqual({ score: null, isAbove: false, meanPicoUsd: 0n });
  });

  it('has no score where no two days differ, and still says what is above', () => {
    const days = Array.from({ length: 30 }, () => USD);
    expect(judgeDay(USD, days)).toMatchObject({ score: null, isAbove: false });
    expect(judgeDay(USD + 1n, days)).toMatchObject({ score: null, isAbove: true });
  });
});

const part = (value: string, more: Partial<PartUsage>): PartUsage => ({
  dimension: 'user',
  value,
  costPicoUsd: USD,
  requestCount: 10n,
  tokenCount: 10_000n,
  usualDayCostPicoUsd: USD,
  usualDayRequestCount: 10n,
  isNew: false,
  ...more,
});

/** One user asks twenty times as much of one feature, and nobody else does. */
const LOOP: FindingFacts = {
  hours: hourOf(24n * USD, { requestCount: 300n }),
  usual: hourOf(5n * USD),
  hourCount: 1,
  excessPicoUsd: 19n * USD,
  lastHourExcessPicoUsd: 19n * USD,
  parts: [
    part('u1', { costPicoUsd: 20n * USD, requestCount: 250n }),
    part('u2', {}),
    part('u3', {}),
    part('chat', {
      dimension: 'feature',
      costPicoUsd: 22n * USD,
      usualDayCostPicoUsd: 3n * USD,
      requestCount: 280n,
    }),
    part('mail', { dimension: 'feature', costPicoUsd: 2n * USD, usualDayCostPicoUsd: 2n * USD }),
  ],
  usualDayPicoUsd: 5n * USD,
  historyDays: 100,
  togetherPercent: 0,
  backfilledCostPicoUsd: 0n,
  hasNewPlan: false,
  hasPriceChange: false,
};

describe('a finding', () => {
  it('says what a loop is, who, and what a day of it costs', () => {
    const decided = decideFinding(LOOP);
    expect(decided).toMatchObject({
      shape: 'loop',
      isMaterial: true,
      isConcentrated: true,
      isRaised: true,
      explanations: [],
    });
    expect(decided.moved.map((moved) => [moved.part.value, moved.sharePercent])).toEqual([
      ['u1', 100],
      ['chat', 100],
    ]);
    expect(decided.dayAheadPicoUsd).toBe(24n * 19n * USD);
  });

  it('names what explains it, and needs nobody then', () => {
    const explained = (more: Partial<FindingFacts>) => {
      const { explanations, isRaised } = decideFinding({ ...LOOP, ...more });
      expect(isRaised).toBe(explanations.length === 0);
      return explanations;
    };
    expect(explained({ historyDays: RULES.newDays - 1 })).toEqual(['new_customer']);
    expect(explained({ hasNewPlan: true, hasPriceChange: true })).toEqual(['new_plan', 'price_change']);
    expect(explained({ backfilledCostPicoUsd: 10n * USD })).toEqual(['backfill']);
    expect(explained({ backfilledCostPicoUsd: 9n * USD })).toEqual([]);
    expect(explained({ hours: { ...LOOP.hours, lateCostPicoUsd: 10n * USD } })).toEqual(['late_data']);
    expect(explained({ togetherPercent: 50 })).toEqual(['all_moved']);
  });

  it('is a loop at any hour: that nobody else asks then does not make a scraper of whom is known', () => {
    const quiet = { ...LOOP, usualDayPicoUsd: 10n * USD, usual: hourOf(USD / 10n) };
    expect(decideFinding(quiet)).toMatchObject({ shape: 'loop', isRaised: true });
    const asleep = quiet.parts.map((one) =>
      one.value === 'u1' ? { ...one, usualDayRequestCount: 0n } : one,
    );
    expect(decideFinding({ ...quiet, parts: asleep }).shape).toBe('scraper');
    expect(decideFinding({ ...LOOP, parts: asleep }).shape).toBe('loop');
  });

  it('is a scraper where one user asks for everything, or is new', () => {
    const fresh = LOOP.parts.map((one) => (one.value === 'u1' ? { ...one, isNew: true } : one));
    expect(decideFinding({ ...LOOP, parts: fresh }).shape).toBe('scraper');
    const spread = LOOP.parts.map((one) =>
      one.dimension === 'feature' ? { ...one, costPicoUsd: 12n * USD } : one,
    );
    expect(decideFinding({ ...LOOP, parts: spread })).toMatchObject({ shape: 'scraper', isRaised: true });
  });

  it('is growth where all users ask for more, and a new feature where they do so of one that was not there', () => {
    const more = ['u1', 'u2', 'u3'].map((user) => part(user, { costPicoUsd: 3n * USD, requestCount: 30n }));
    const facts = {
      ...LOOP,
      hours: hourOf(9n * USD, { requestCount: 90n, userCount: 15 }),
      excessPicoUsd: 6n * USD,
    };
    expect(decideFinding({ ...facts, parts: more })).toMatchObject({
      shape: 'growth',
      explanations: ['growth'],
      isRaised: false,
    });
    const fresh = part('new', {
      dimension: 'feature',
      costPicoUsd: 6n * USD,
      usualDayCostPicoUsd: 0n,
      usualDayRequestCount: 0n,
      isNew: true,
    });
    const old = part('old', { dimension: 'feature', costPicoUsd: 3n * USD, usualDayCostPicoUsd: 3n * USD });
    expect(decideFinding({ ...facts, parts: [...more, fresh, old] })).toMatchObject({
      shape: 'new_feature',
      isRaised: false,
    });
  });

  it('waits for more hours of what a person could have done, and for an amount that matters', () => {
    const slow = LOOP.parts.map((one) => (one.value === 'u1' ? { ...one, requestCount: 60n } : one));
    expect(decideFinding({ ...LOOP, parts: slow }).isRaised).toBe(false);
    expect(decideFinding({ ...LOOP, parts: slow, hourCount: RULES.leastHours }).isRaised).toBe(true);
    expect(decideFinding({ ...LOOP, excessPicoUsd: 9n * USD, lastHourExcessPicoUsd: 0n }).isMaterial).toBe(
      false,
    );
    expect(decideFinding({ ...LOOP, usualDayPicoUsd: 50_000n * USD }).isMaterial).toBe(false);
  });

  it('is never raised with an explanation, and never explained by a word that nobody knows', () => {
    const amount = fc.bigInt({ min: 0n, max: 1_000n * USD });
    const anyPart = fc.record({
      dimension: fc.constantFrom('user' as const, 'feature' as const, 'model' as const),
      value: fc.string(),
      costPicoUsd: amount,
      requestCount: fc.bigInt({ min: 0n, max: 1_000n }),
      tokenCount: amount,
      usualDayCostPicoUsd: amount,
      usualDayRequestCount: fc.bigInt({ min: 0n, max: 1_000n }),
      isNew: fc.boolean(),
    });
    const facts = fc.record({
      hours: amount.map((value) => hourOf(value)),
      usual: amount.map((value) => hourOf(value)),
      hourCount: fc.integer({ min: 1, max: 100 }),
      excessPicoUsd: amount,
      lastHourExcessPicoUsd: amount,
      parts: fc.array(anyPart, { maxLength: 12 }),
      usualDayPicoUsd: amount,
      historyDays: fc.integer({ min: 0, max: 400 }),
      togetherPercent: fc.integer({ min: 0, max: 100 }),
      backfilledCostPicoUsd: amount,
      hasNewPlan: fc.boolean(),
      hasPriceChange: fc.boolean(),
    });
    fc.assert(
      fc.property(facts, (drawn) => {
        const decided = decideFinding(drawn);
        expect(decided.explanations.every((explanation) => EXPLANATIONS.includes(explanation))).toBe(true);
        if (decided.isRaised)
          expect([decided.isMaterial, decided.isConcentrated, decided.explanations]).toEqual([
            true,
            true,
            [],
          ]);
        // The order in which parts are read decides nothing.
        expect(decideFinding({ ...drawn, parts: drawn.parts.toReversed() }).shape).toBe(decided.shape);
      }),
    );
  });
});

describe('what creeps', () => {
  const days = (sizes: readonly number[], requests = 100n) =>
    sizes.map((size) => ({
      costPicoUsd: (BigInt(Math.round(size * 1_000)) * USD * requests) / 1_000n / 10n,
      requestCount: requests,
    }));
  const held = Array.from({ length: 28 }, () => 1);

  it('is dearer requests, and neither more of them nor a new feature', () => {
    const dearer = [...days(held), ...days([1.5, 1.5, 1.6, 1.6, 1.7, 1.7, 1.8])];
    expect(judgeCreep(dearer, { hasNewFeature: false })).toMatchObject({ isCreep: true, sizePercent: 160 });
    expect(judgeCreep(dearer, { hasNewFeature: true }).isCreep).toBe(false);
    expect(
      judgeCreep([...days(held), ...days([1.6, 1.6, 1.6, 1.6, 1.6, 1.6, 1.6], 200n)], {
        hasNewFeature: false,
      }).isCreep,
    ).toBe(false);
    expect(
      judgeCreep([...days(held), ...days([1, 1, 1, 1, 1, 1, 9])], { hasNewFeature: false }).isCreep,
    ).toBe(false);
  });

  it('says nothing of a history that is too short, or that had no requests', () => {
    expect(judgeCreep(days(held), { hasNewFeature: false }).sizePercent).toBeNull();
    const silent = Array.from({ length: 35 }, () => ({ costPicoUsd: 0n, requestCount: 0n }));
    expect(judgeCreep(silent, { hasNewFeature: false })).toEqual({
      isCreep: false,
      sizePercent: null,
      score: null,
      excessPicoUsd: 0n,
    });
  });
});
