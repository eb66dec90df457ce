import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { amountOf } from '../../pricing/previews/preview.ts';
import {
  knownThroughDay,
  type ProjectedItem,
  type ProjectionInput,
  projectPeriod,
} from '../../pricing/previews/projection.ts';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import { rateQuantity } from '../../pricing/rating/rating.ts';

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
  more: { firstDay?: number; knownDays?: number; price?: RatePrice | null; today?: bigint } = {},
): { item: ProjectedItem; knownThrough: Date } {
  const { firstDay = -28, knownDays = 14, price = PER_UNIT, today = 0n } = more;
  const days: [number, bigint][] = [];
  for (let day = firstDay; day < knownDays; day += 1) days.push([START + day * DAY, tokensOf(day)]);
  days.push([START + knownDays * DAY, today]);
  const periodTokens = new Map(days.filter(([day]) => day >= START));
  return {
    item: {
      itemId: 'si',
      price,
      quantity: [...periodTokens.values()].reduce((sum, tokens) => sum + tokens, 0n),
      dailyTokens: new Map(days),
      periodTokens,
    },
    knownThrough: new Date(START + knownDays * DAY),
  };
}

const project = (
  made: ReturnType<typeof item>,
  more: Partial<Pick<ProjectionInput, 'openDays' | 'period'>> = {},
) =>
  projectPeriod({
    period: { start: new Date(START), end: new Date(END) },
    openDays: new Set(),
    knownThrough: made.knownThrough,
    items: [made.item],
    ...more,
  });

describe('the projection of a period', () => {
  it('is the period itself when every day is like the other', () => {
    expect(project(item(() => 100n))).toMatchObject({
      status: 'projected',
      knownDayCount: 42 - 14,
      items: [
        {
          quantity: { p10: 3_000n, p50: 3_000n, p90: 3_000n },
          amountMinor: { p10: 3_000n, p50: 3_000n, p90: 3_000n },
        },
      ],
    });
  });

  it('knows weekdays: what nobody does on Sundays is not expected of one', () => {
    // 1 November 2026 is a Sunday; of the 16 days left three are Sundays.
    const made = item((day) => (((day % 7) + 7) % 7 === 0 ? 0n : 70n));
    const projection = project(made);
    const expected = made.item.quantity + 13n * 70n;
    expect(projection).toMatchObject({
      items: [{ quantity: { p10: expected, p50: expected, p90: expected } }],
    });
  });

  it('ranges from the least to the most of four weeks, by nearest rank', () => {
    const made = item((day) => BigInt(Math.floor((day + 28) / 7) * 10), { knownDays: 29 });
    // The last day is a Monday after weeks of 40, 50, 60 and 70: window and period begin with the first one.
    expect(project(made)).toMatchObject({
      items: [
        {
          quantity: {
            p10: made.item.quantity + 40n,
            p50: made.item.quantity + 50n,
            p90: made.item.quantity + 70n,
          },
        },
      ],
    });
  });

  it('never expects less of a day than it holds already', () => {
    const made = item(() => 100n, { today: 5_000n });
    expect(project(made)).toMatchObject({ items: [{ quantity: { p10: made.item.quantity + 15n * 100n } }] });
  });

  it('takes the part of a day that the period has', () => {
    const made = item(() => 100n, { knownDays: 29 });
    const period = { start: new Date(START), end: new Date(END - DAY / 4) };
    expect(project(made, { period })).toMatchObject({
      items: [{ quantity: { p50: made.item.quantity + 75n } }],
    });
  });

  it('spans a volume price that falls where a tier begins', () => {
    const made = item((day) => (day % 2 === 0 ? 30n : 36n), { price: VOLUME });
    const [only] = project(made).status === 'projected' ? itemsOf(project(made)) : [];
    expect(only?.quantity.p10).toBeLessThan(1_000n);
    expect(only?.quantity.p90).toBeGreaterThan(1_000n);
    // At 1,000 tokens the most, at 1,001 the least.
    expect(only?.amountMinor).toMatchObject({ p10: 1_001n, p90: 10_000n });
  });

  it('says nothing on fewer than fourteen settled days, and how many it has', () => {
    expect(project(item(() => 5n, { firstDay: 1 }))).toEqual({
      status: 'refused',
      reason: 'too_little_history',
      knownDayCount: 13,
    });
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
    ).toMatchObject({
      reason: 'too_little_history',
      knownDayCount: 13,
    });
  });

  it('says nothing once the period is over', () => {
    expect(project(item(() => 100n, { knownDays: 30 }))).toMatchObject({ reason: 'period_is_over' });
  });

  it('has quantities without amounts where the price is unknown', () => {
    expect(project(item(() => 100n, { price: null }))).toMatchObject({
      items: [{ quantity: { p50: 3_000n }, amountMinor: null }],
    });
  });

  it('is in order, never below what is used, and each amount is the price of a quantity of the range', () => {
    const tokens = fc.array(fc.bigInt({ min: 0n, max: 10n ** 9n }), { minLength: 42, maxLength: 42 });
    fc.assert(
      fc.property(tokens, fc.constantFrom(PER_UNIT, VOLUME), (days, price) => {
        const made = item((day) => days[day + 28] ?? 0n, { price });
        const projection = project(made);
        if (projection.status === 'refused') return;
        const [only] = projection.items;
        if (only === undefined || only.amountMinor === null) throw new Error('nothing was projected');
        const { quantity, amountMinor } = only;
        expect(quantity.p10).toBeGreaterThanOrEqual(made.item.quantity);
        for (const range of [quantity, amountMinor]) {
          expect(range.p10 <= range.p50 && range.p50 <= range.p90).toBe(true);
        }
        for (const at of [quantity.p10, quantity.p50, quantity.p90]) {
          const amount = amountOf(rateQuantity(at, price));
          expect(amountMinor.p10 <= amount && amount <= amountMinor.p90).toBe(true);
        }
      }),
    );
  });
});

describe('the days that are known', () => {
  it('end before the first of the open days that reach up to now', () => {
    const day = (count: number) => START + count * DAY;
    const noon = new Date(day(10) + DAY / 2);
    expect(knownThroughDay(noon, new Set()).getTime()).toBe(day(10));
    expect(knownThroughDay(noon, new Set([day(9), day(8), day(5)])).getTime()).toBe(day(8));
  });
});

function itemsOf(projection: ReturnType<typeof projectPeriod>) {
  return projection.status === 'projected' ? projection.items : [];
}
