import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ageInWords, durationInWords } from '../../src/platform/terminal/duration.ts';
import { isNarrowed, toQuery } from '../../src/platform/terminal/frame.ts';
import { renderTable } from '../../src/platform/terminal/output.ts';

describe('durations in words', () => {
  it.each([
    [-5, '0 s'],
    [0, '0 s'],
    [40.9, '40 s'],
    [60, '1 min'],
    [3_599, '59 min'],
    [18_720, '5 h 12 min'],
    [86_400, '1 day'],
    [39_549 * 60, '27 days 11 h'],
  ])('%s seconds are %s', (seconds, words) => {
    expect(durationInWords(seconds)).toBe(words);
  });

  it('takes two instants', () => {
    expect(ageInWords(new Date('2026-11-01T00:00:00Z'), new Date('2026-11-02T01:30:00Z'))).toBe('1 day 1 h');
  });

  it('never says a unit that the next larger one holds', () => {
    fc.assert(
      fc.property(fc.nat(40 * 86_400), (seconds) => {
        const most: Record<string, number> = { s: 59, min: 59, h: 23 };
        for (const [, count, unit] of durationInWords(seconds).matchAll(/(\d+) (\w+)/g)) {
          expect(Number(count)).toBeLessThanOrEqual(most[unit ?? ''] ?? Number.POSITIVE_INFINITY);
        }
      }),
    );
  });
});

describe('tables', () => {
  const column = (cells: string[]) =>
    renderTable(
      ['amount'],
      cells.map((cell) => [cell]),
      [0],
    )
      .split('\n')
      .flatMap((line) => /│ +(\S.*?) │/.exec(line)?.[1] ?? [])
      .slice(1);

  it.each([
    ['amounts', ['12.5', '0.0001', '-3', 'not known yet'], ['12.5000', '0.0001', '-3.0000', 'not known yet']],
    ['amounts of one currency', ['1,200 EUR', '0.50 EUR'], ['1,200.00 EUR', '0.50 EUR']],
    ['amounts of several currencies', ['1200 JPY', '0.50 EUR'], ['1200 JPY', '0.50 EUR']],
    ['counts', ['1,200', '7'], ['1,200', '7']],
    ['words and dates', ['2026-11-01', 'in_1.5', '1.5'], ['2026-11-01', 'in_1.5', '1.5']],
  ])('give %s in a column the same decimals', (_, cells, shown) => {
    expect(column(cells)).toEqual(shown);
  });
});

describe('lists asked for in part', () => {
  it('are told from whole ones', () => {
    const names = ['state', 'limit'];
    expect(isNarrowed(toQuery({ limit: '5' }, names))).toBe(false);
    expect(isNarrowed(toQuery({ limit: '5', state: 'held' }, names))).toBe(true);
  });
});
