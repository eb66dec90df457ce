import { describe, expect, it } from 'vitest';
import { type DailyLines, playMonths, summarizeBacktest } from '../../pricing/previews/backtest.ts';

const DAY = 86_400_000;
const month = { start: new Date('2026-10-01T00:00:00Z'), end: new Date('2026-11-01T00:00:00Z') };

function line(firstDay: number, tokensOf: (day: number) => bigint): DailyLines[number] {
  const days = Array.from({ length: 31 - firstDay }, (_, place) => firstDay + place);
  return new Map(days.map((day) => [month.start.getTime() + day * DAY, tokensOf(day)]));
}

describe('the backtest of projections', () => {
  it('knows of a month only what was used until then, and what came of it', () => {
    const played = playMonths(
      [line(-60, () => 100n), line(-60, (day) => (day < 20 ? 10n : 30n))],
      [month],
      new Set(),
    );
    const at10 = played.find(({ atDay }) => atDay === 10);
    const all = (value: bigint) => ({ expected: value, p10: value, p50: value, p90: value });
    expect(at10?.lines).toEqual([
      { range: all(3_100n), held: 1_000n, actual: 3_100n },
      { range: all(310n), held: 100n, actual: 530n },
    ]);
    expect(at10?.totals).toEqual([{ range: all(3_410n), held: 1_100n, actual: 3_630n }]);
    const summary = summarizeBacktest(played).find(({ atDay }) => atDay === 10);
    expect(summary?.lines).toEqual({
      caseCount: 2,
      // 2,310 expected of 2,530 that came; one lies on p50, one above it.
      biasPermille: -87n,
      abovePermille: 750n,
      heldPermille: 500n,
    });
  });

  it('counts what has too little history, and leaves out whom it does not know yet', () => {
    const played = playMonths([line(-3, () => 100n), line(12, () => 5n)], [month], new Set());
    expect(played.map(({ atDay, refusedCount, lines }) => [atDay, refusedCount, lines.length])).toEqual([
      [5, 1, 0],
      [10, 1, 0],
      // The line that began on the 13th is too young at first, and with it the total.
      [15, 1, 1],
      [20, 1, 1],
      [25, 1, 1],
    ]);
    expect(playMonths([], [month], new Set()).every(({ refusedCount }) => refusedCount === 0)).toBe(true);
  });
});
