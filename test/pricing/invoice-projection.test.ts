import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { knownOfDays, knownThroughDay } from '../../pricing/previews/days.ts';
import { amountOf } from '../../pricing/previews/preview.ts';
import {
  type ItemProjection,
  type ProjectedItem,
  type ProjectionInput,
  projectPeriod,
} from '../../pricing/previews/projection.ts';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import { rateQuantity } from '../../pricing/rating/rating.ts';
import { createRandom, deriveSeed } from '../../sandbox/random.ts';

const DAY = 86_400_000;
const START = Date.parse('2026-11-01T00:00:00Z');
const END = Date.parse('2026-12-01T00:00:00Z');
const PER_UNIT: RatePrice = { kind: 'per_unit', unitAmountDecimal: '1' };
const VOLUME: RatePrice = {
  kind: 'tiered',
  mode: 'volume',
  tiers: [
    { upTo: 1_000n, unitAmountDecimal: '10', flatAmountDecimal: null },
    { upTo: null, unitAmountDecimal: '1', flatAmountDecimal: null },
  ],
};

/** Usage of each day from `firstDay` (in days from the period's start) to the day before `knownThrough`. */
function item(
  tokensOf: (day: number) => bigint,
  more: { id?: string; firstDay?: number; knownDays?: number; price?: RatePrice | null; today?: bigint } = {},
): ProjectedItem & { knownThrough: Date } {
  const { id = 'si', firstDay = -28, knownDays = 14, price = PER_UNIT, today = 0n } = more;
  const days: [number, bigint][] = [];
  for (let day = firstDay; day < knownDays; day += 1) days.push([START + day * DAY, tokensOf(day)]);
  days.push([START + knownDays * DAY, today]);
  return {
    itemId: id,
    price,
    quantity: days.reduce((sum, [day, tokens]) => (day >= START ? sum + tokens : sum), 0n),
    dailyTokens: new Map(days),
    knownThrough: new Date(START + knownDays * DAY),
  };
}

type Made = ReturnType<typeof item>;

const project = (
  made: Made | [Made, ...Made[]],
  more: Partial<Pick<ProjectionInput, 'openDays' | 'knownMs' | 'period'>> = {},
) => {
  const items = Array.isArray(made) ? made : [made];
  return projectPeriod({
    period: { start: new Date(START), end: new Date(END) },
    openDays: new Set(),
    knownMs: new Map(),
    knownThrough: items[0]?.knownThrough ?? new Date(END),
    items,
    ...more,
  });
};

const all = (value: bigint) => ({ expected: value, p10: value, p50: value, p90: value });

/** A whole number below 1,000, drawn for the day and always the same. */
const drawn = (day: number, seed: number) => Math.floor(createRandom(deriveSeed(seed, day))() * 1_000);

function quantityOf(projection: ReturnType<typeof projectPeriod>, place = 0) {
  const quantity = itemsOf(projection)[place]?.quantity;
  if (quantity == null) throw new Error(`nothing was projected: ${JSON.stringify(projection.status)}`);
  return quantity;
}

function itemsOf(projection: ReturnType<typeof projectPeriod>): ItemProjection[] {
  return projection.status === 'projected' ? projection.items : [];
}

describe('the projection of a period', () => {
  it('is the period itself when every day is like the other', () => {
    expect(project(item(() => 100n))).toMatchObject({
      status: 'projected',
      knownDayCount: 42,
      items: [{ quantity: all(3_000n), amountMinor: all(3_000n) }],
      totalMinor: all(3_000n),
      totalReason: null,
    });
  });

  it('knows weekdays: what nobody does on Sundays is not expected of one', () => {
    // 1 November 2026 is a Sunday; of the 16 days left three are Sundays.
    const made = item((day) => (((day % 7) + 7) % 7 === 0 ? 0n : 70n));
    expect(quantityOf(project(made))).toEqual(all(made.quantity + 13n * 70n));
  });

  it('does not take the second lowest of four weeks for their middle', () => {
    const weeks = [50n, 150n, 120n, 80n, 150n, 50n];
    const made = item((day) => weeks[Math.floor((day + 28) / 7)] ?? 0n);
    const quantity = quantityOf(project(made));
    const toCome = Number(quantity.expected - made.quantity);
    expect(toCome).toBeGreaterThan(16 * 95);
    expect(toCome).toBeLessThan(16 * 105);
    expect(quantity.p10).toBeLessThan(quantity.p50);
    expect(quantity.p50).toBeLessThan(quantity.p90);
  });

  it('goes on with growth that is told from chance, and not with what may be chance', () => {
    const grown = (rate: number) => (day: number) => BigInt(Math.round(100_000 * (1 + rate) ** (day + 56)));
    for (const rate of [0.02, 0.005, -0.01]) {
      const made = item(grown(rate), { firstDay: -56 });
      let toCome = 0n;
      for (let day = 14; day < 30; day += 1) toCome += grown(rate)(day);
      const expected = quantityOf(project(made)).expected - made.quantity;
      expect(Math.abs(Number(expected) / Number(toCome) - 1)).toBeLessThan(0.02);
    }
    // Used on one day in nine or so, and as it happens of late: nothing grows by that.
    const sparse = item((day) => (day % 9 === 0 && day > -20 ? 900n : 0n), { firstDay: -56 });
    const beside = item(() => 5n, { id: 'beside', firstDay: -56 });
    const toCome = quantityOf(project([sparse, beside])).expected - sparse.quantity;
    expect(Number(toCome)).toBeLessThan(16 * 100 * 1.5);
  });

  it.each([
    ['up', (day: number) => 1 + (day + 56) / 50],
    ['steeply up', (day: number) => 1 + (day + 56) / 20],
    ['down', (day: number) => 1 - (day + 56) / 150],
    ['steeply down', (day: number) => 1 - (day + 56) / 120],
  ])('goes on in a straight line %s, where nothing else speaks', (_, shareOf) => {
    const tokensOf = (day: number) => BigInt(Math.round(100_000 * shareOf(day)));
    for (const knownDays of [5, 10, 20]) {
      const made = item(tokensOf, { firstDay: -56, knownDays });
      let toCome = 0n;
      for (let day = knownDays; day < 30; day += 1) toCome += tokensOf(day);
      const expected = quantityOf(project(made)).expected - made.quantity;
      expect(Math.abs(Number(expected) / Number(toCome) - 1)).toBeLessThan(0.03);
    }
  });

  it('never expects more again of what has only fallen, in whatever way', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.8, max: 1, noNaN: true }), { minLength: 66, maxLength: 66 }),
        (steps) => {
          let level = 10_000_000;
          const fallen = steps.map((step) => {
            level *= step;
            return BigInt(Math.round(level));
          });
          const made = item((day) => fallen[day + 56] ?? 0n, { firstDay: -56, knownDays: 10 });
          const { expected, p50 } = quantityOf(project(made));
          const last = fallen.slice(-14).reduce((sum, tokens) => (tokens > sum ? tokens : sum), 1n);
          expect(expected - made.quantity).toBeLessThanOrEqual(20n * (last + 1n));
          expect(p50 - made.quantity).toBeLessThanOrEqual(20n * (last + 1n));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('judges a line that began by the days since', () => {
    const steady = item(() => 500n, { id: 'steady', firstDay: -56 });
    const begun = item((day) => (day < 0 ? 0n : 100n), { id: 'begun', firstDay: -56 });
    expect(quantityOf(project([steady, begun]), 1)).toEqual(all(3_000n));
  });

  it('says that a line which began less than 14 days ago has too little history, and so has the total', () => {
    const steady = item(() => 500n, { id: 'steady', firstDay: -56 });
    const begun = item((day) => (day < 1 ? 0n : 100n), { id: 'begun', firstDay: -56 });
    expect(project([steady, begun])).toMatchObject({
      status: 'projected',
      items: [
        { itemId: 'steady', quantity: all(15_000n) },
        { itemId: 'begun', quantity: null, amountMinor: null },
      ],
      totalMinor: null,
      totalReason: 'too_little_history',
    });
  });

  it('does not take a line that is seldom used for a new one, nor one that is never used for anything', () => {
    const steady = item(() => 500n, { id: 'steady', firstDay: -56 });
    const seldom = item((day) => (day === 8 ? 7_000n : 0n), { id: 'seldom', firstDay: -56 });
    const never = item(() => 0n, { id: 'never', firstDay: -56 });
    const projection = project([steady, seldom, never]);
    // Once in 56 days is 2,000 tokens in 16.
    expect(Number(quantityOf(projection, 1).expected)).toBeGreaterThan(8_950);
    expect(Number(quantityOf(projection, 1).expected)).toBeLessThan(9_050);
    expect(quantityOf(projection, 1).p10).toBe(7_000n);
    expect(quantityOf(projection, 2)).toEqual(all(0n));
  });

  it('adds lines as they moved: two that are one another’s likeness, and two that make up for each other', () => {
    const up = (day: number) => BigInt(drawn(day, 1));
    const down = (day: number) => 1_000n - up(day);
    const widthOf = (other: (day: number) => bigint) => {
      const projection = project([item(up, { firstDay: -56 }), item(other, { id: 'other', firstDay: -56 })]);
      if (projection.status !== 'projected' || projection.totalMinor === null) throw new Error('refused');
      const [one, two] = [quantityOf(projection), quantityOf(projection, 1)];
      const total = projection.totalMinor;
      return Number(total.p90 - total.p10) / Number(one.p90 - one.p10 + two.p90 - two.p10);
    };
    expect(widthOf(up)).toBeCloseTo(1, 2);
    expect(widthOf(down)).toBeLessThan(0.25);
    expect(widthOf((day) => BigInt(drawn(day, 2)))).toBeLessThan(0.9);
  });

  it('adds to a day only what of it is still to come', () => {
    const made = item(() => 100n, { today: 5_000n });
    const knownMs = new Map([[START + 14 * DAY, DAY / 4]]);
    expect(quantityOf(project(made, { knownMs })).expected).toBe(made.quantity + 15n * 100n + 75n);
  });

  it('takes the part of a day that the period has', () => {
    const made = item(() => 100n, { knownDays: 29 });
    const period = { start: new Date(START), end: new Date(END - DAY / 4) };
    expect(quantityOf(project(made, { period }))).toEqual(all(made.quantity + 75n));
    const knownMs = new Map([[START + 29 * DAY, DAY / 2]]);
    expect(quantityOf(project(made, { period, knownMs }))).toEqual(all(made.quantity + 25n));
  });

  it('prices what may come: a volume price that falls where a tier begins costs most below it', () => {
    const made = item((day) => BigInt(drawn(day, 3) % 66), { price: VOLUME });
    const [only] = itemsOf(project(made));
    expect(quantityOf(project(made)).p10).toBeLessThan(1_000n);
    expect(quantityOf(project(made)).p90).toBeGreaterThan(1_000n);
    expect(only?.amountMinor?.p10).toBeLessThan(1_500n);
    expect(only?.amountMinor?.p90).toBeGreaterThan(8_000n);
    expect(only?.amountMinor?.p90).toBeLessThanOrEqual(10_000n);
  });

  it('says nothing on fewer than fourteen settled days, and how many it has', () => {
    const refused = { status: 'refused', reason: 'too_little_history', knownDayCount: 13 };
    expect(project(item(() => 5n, { firstDay: 1 }))).toEqual(refused);
    expect(project(item(() => 5n, { firstDay: 0 }))).toMatchObject({
      status: 'projected',
      knownDayCount: 14,
    });
    expect(project(item(() => 0n))).toMatchObject({ reason: 'too_little_history', knownDayCount: 0 });
    const openDays = new Set([START + 3 * DAY]);
    expect(
      project(
        item(() => 5n, { firstDay: 0 }),
        { openDays },
      ),
    ).toEqual(refused);
  });

  it('says nothing once the period is over', () => {
    expect(project(item(() => 100n, { knownDays: 30 }))).toMatchObject({ reason: 'period_is_over' });
  });

  it('has quantities without amounts where the price is unknown, and then no total', () => {
    expect(project(item(() => 100n, { price: null }))).toMatchObject({
      items: [{ quantity: all(3_000n), amountMinor: null }],
      totalMinor: null,
      totalReason: 'unpriced_line',
    });
  });

  it('is in order, never below what is used, and the same each time; its amounts are prices of quantities', () => {
    const tokens = fc.array(
      fc.oneof(
        fc.constant(0n),
        fc.bigInt({ min: 0n, max: 10n ** 4n }),
        fc.bigInt({ min: -5n, max: 10n ** 15n }),
      ),
      {
        minLength: 42,
        maxLength: 42,
      },
    );
    fc.assert(
      fc.property(
        tokens,
        tokens,
        fc.integer({ min: 1, max: 29 }),
        fc.constantFrom(PER_UNIT, VOLUME),
        (days, others, knownDays, price) => {
          const made = item((day) => days[(day + 28) % 42] ?? 0n, { price, knownDays });
          const beside = item((day) => others[(day + 28) % 42] ?? 0n, { id: 'beside', knownDays });
          const projection = project([made, beside]);
          expect(project([made, beside])).toEqual(projection);
          if (projection.status === 'refused') return;
          for (const [place, { quantity, amountMinor }] of projection.items.entries()) {
            if (quantity === null) continue;
            const { quantity: held } = place === 0 ? made : beside;
            expect(quantity.p10).toBeGreaterThanOrEqual(held);
            expect(quantity.expected).toBeGreaterThanOrEqual(held);
            for (const range of [quantity, amountMinor ?? quantity]) {
              expect(range.p10 <= range.p50 && range.p50 <= range.p90).toBe(true);
            }
            const itsPrice = place === 0 ? price : PER_UNIT;
            expect(amountMinor?.expected).toBe(amountOf(rateQuantity(quantity.expected, itsPrice)));
            // Corrections alone could leave less than nothing, which is billed as nothing.
            const billed = Object.entries(quantity).map(([name, value]) => [name, value < 0n ? 0n : value]);
            if (itsPrice.kind === 'per_unit') expect(amountMinor).toEqual(Object.fromEntries(billed));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('the day through which days are known', () => {
  it('goes back over open days in a row, and no further', () => {
    const collectedThrough = new Date(START + 10.4 * DAY);
    expect(knownThroughDay(collectedThrough, new Set())).toEqual(new Date(START + 10 * DAY));
    const open = new Set([START + 9 * DAY, START + 8 * DAY, START + 3 * DAY]);
    expect(knownThroughDay(collectedThrough, open)).toEqual(new Date(START + 8 * DAY));
  });

  it('knows of a day as much as is collected, and of that what the share of its settled hours says', () => {
    const known = knownOfDays(new Date(START), new Date(START + 1.5 * DAY), (day) =>
      day === START ? { settled: 6, open: 2 } : { settled: 3, open: 0 },
    );
    expect([...known]).toEqual([
      [START, DAY * 0.75],
      [START + DAY, DAY / 2],
    ]);
  });
});
