import { type Calibration, calibrate, type JudgedCase } from './calibration.ts';
import { DAY_MS } from './days.ts';
import { type ProjectedItem, projectPeriod } from './projection.ts';

/** Days into a month at which it is projected again. */
const PROJECTED_AT = [5, 10, 15, 20, 25];

/** Tokens of each line of one customer by UTC day (its first millisecond). */
export type DailyLines = readonly ReadonlyMap<number, bigint>[];

/** What came of the projections of one day of the month. */
export interface PlayedDay {
  atDay: number;
  lines: JudgedCase[];
  totals: JudgedCase[];
  refusedCount: number;
}

export interface BacktestRow {
  atDay: number;
  lines: Calibration;
  /** Of all lines of a customer together, in tokens. */
  totals: Calibration;
  /** Months that were not projected for too little history. */
  refusedCount: number;
}

/** Months that are over, of one customer, projected from what was used before each of some days, and what came of it. */
export function playMonths(
  lines: DailyLines,
  months: readonly { start: Date; end: Date }[],
  openDays: ReadonlySet<number>,
): PlayedDay[] {
  return PROJECTED_AT.map((atDay) => {
    const played: PlayedDay = { atDay, lines: [], totals: [], refusedCount: 0 };
    for (const month of months) playMonth(played, lines, month, openDays);
    return played;
  });
}

export function summarizeBacktest(played: readonly PlayedDay[]): BacktestRow[] {
  return PROJECTED_AT.map((atDay) => {
    const same = played.filter((day) => day.atDay === atDay);
    return {
      atDay,
      lines: calibrate(same.flatMap(({ lines }) => lines)),
      totals: calibrate(same.flatMap(({ totals }) => totals)),
      refusedCount: same.reduce((sum, { refusedCount }) => sum + refusedCount, 0),
    };
  });
}

function playMonth(
  played: PlayedDay,
  lines: DailyLines,
  month: { start: Date; end: Date },
  openDays: ReadonlySet<number>,
): void {
  const knownThrough = new Date(month.start.getTime() + played.atDay * DAY_MS);
  const items = lines.flatMap((days, line): ProjectedItem[] => {
    const dailyTokens = new Map([...days].filter(([day]) => day < knownThrough.getTime()));
    if (![...dailyTokens.values()].some((tokens) => tokens > 0n)) return [];
    return [
      {
        itemId: String(line),
        // A token for a token: the total is counted, not priced.
        price: { kind: 'per_unit', unitAmountDecimal: '1' },
        quantity: sumWithin(dailyTokens, month),
        dailyTokens,
      },
    ];
  });
  if (items.length === 0) return;
  const projection = projectPeriod({ period: month, knownThrough, knownMs: new Map(), openDays, items });
  if (projection.status === 'refused') {
    played.refusedCount += 1;
    return;
  }
  const actual = new Map(items.map(({ itemId }) => [itemId, sumWithin(lines[Number(itemId)], month)]));
  for (const [place, { itemId, quantity }] of projection.items.entries()) {
    if (quantity === null) continue;
    played.lines.push({
      range: quantity,
      held: items[place]?.quantity ?? 0n,
      actual: actual.get(itemId) ?? 0n,
    });
  }
  if (projection.totalMinor === null) {
    played.refusedCount += 1;
    return;
  }
  played.totals.push({
    range: projection.totalMinor,
    held: items.reduce((sum, { quantity }) => sum + quantity, 0n),
    actual: [...actual.values()].reduce((sum, tokens) => sum + tokens, 0n),
  });
}

function sumWithin(
  days: ReadonlyMap<number, bigint> | undefined,
  { start, end }: { start: Date; end: Date },
): bigint {
  let sum = 0n;
  for (const [day, tokens] of days ?? []) {
    if (day >= start.getTime() && day < end.getTime()) sum += tokens;
  }
  // A price bills no less than nothing, and so counts a projection.
  return sum < 0n ? 0n : sum;
}
