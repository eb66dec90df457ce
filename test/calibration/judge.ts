import { type Calibration, calibrate, type JudgedCase } from '../../pricing/previews/calibration.ts';
import { amountOf } from '../../pricing/previews/preview.ts';
import { type ProjectedItem, projectPeriod } from '../../pricing/previews/projection.ts';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import { rateQuantity } from '../../pricing/rating/rating.ts';
import { HISTORY_DAYS, type World } from './worlds.ts';

const DAY_MS = 86_400_000;
const PERIOD = { start: new Date('2026-11-01T00:00:00Z'), end: new Date('2026-12-01T00:00:00Z') };
/** A line each; what is used within the first tier of the second is included. */
const PRICES: readonly RatePrice[] = [
  { kind: 'per_unit', unitAmountDecimal: '0.03' },
  {
    kind: 'tiered',
    mode: 'graduated',
    tiers: [
      { upTo: 2_000_000n, unitAmountDecimal: '0', flatAmountDecimal: null },
      { upTo: null, unitAmountDecimal: '0.03', flatAmountDecimal: null },
    ],
  },
  { kind: 'per_unit', unitAmountDecimal: '0.06' },
];

export interface WorldFigures {
  /** Tokens of each line. */
  lines: Calibration;
  /** Money of all lines together. */
  total: Calibration;
  /** Projections that were refused for too little history. */
  refusedCount: number;
}

/** How projections of this world come out, `atDay` days into the period. */
export function judgeWorld(
  world: World,
  { seeds, atDay }: { seeds: Iterable<number>; atDay: number },
): WorldFigures {
  const lines: JudgedCase[] = [];
  const totals: JudgedCase[] = [];
  let refusedCount = 0;
  for (const seed of seeds) {
    const days = world.play(seed, atDay);
    const items = days.map((tokens, line) => itemOf(tokens, line, atDay));
    const projection = projectPeriod({
      period: PERIOD,
      knownThrough: new Date(PERIOD.start.getTime() + atDay * DAY_MS),
      knownMs: new Map(),
      openDays: new Set(),
      items,
    });
    if (projection.status === 'refused') {
      refusedCount += 1;
      continue;
    }
    const ends = days.map((tokens) => BigInt(sum(tokens.slice(HISTORY_DAYS))));
    for (const [line, { quantity }] of projection.items.entries()) {
      const { quantity: held = 0n, dailyTokens } = items[line] ?? {};
      // Of a line that was never used nothing is claimed beside that.
      if (quantity === null || [...(dailyTokens?.values() ?? [])].every((tokens) => tokens === 0n)) continue;
      lines.push({ range: quantity, held, actual: ends[line] ?? 0n });
    }
    const { totalMinor } = projection;
    if (totalMinor === null) {
      refusedCount += 1;
      continue;
    }
    totals.push({
      range: totalMinor,
      held: priceOf(items.map(({ quantity }) => quantity)),
      actual: priceOf(ends),
    });
  }
  return { lines: calibrate(lines), total: calibrate(totals), refusedCount };
}

function itemOf(tokens: readonly number[], line: number, atDay: number): ProjectedItem {
  const first = PERIOD.start.getTime() - HISTORY_DAYS * DAY_MS;
  const known = tokens.slice(0, HISTORY_DAYS + atDay);
  return {
    itemId: `line-${line}`,
    price: PRICES[line] ?? null,
    quantity: BigInt(sum(known.slice(HISTORY_DAYS))),
    dailyTokens: new Map(known.map((count, day) => [first + day * DAY_MS, BigInt(count)])),
  };
}

function priceOf(quantities: readonly bigint[]): bigint {
  return quantities.reduce((total, quantity, line) => {
    const price = PRICES[line];
    return total + (price === undefined ? 0n : amountOf(rateQuantity(quantity, price)));
  }, 0n);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
