import { describe, expect, it } from 'vitest';
import { findOutcomes, findWholeOutcome, type ToldRow } from './doubtful.ts';

function within(figures: Partial<Record<ToldRow['figure'], number>>): ToldRow[] {
  return Object.entries(figures).map(([figure, count]) => ({
    figure: figure as ToldRow['figure'],
    count: BigInt(count),
  }));
}

const apart = (figures: Partial<Record<ToldRow['figure'], number>>) =>
  within(figures).map((row) => ({ ...row, toldApart: 'with-cache' as const }));

const textOf = (outcomes: ToldRow[][]) =>
  outcomes.map((rows) => rows.map(({ figure }) => figure).join(' ')).sort();

describe('what the oracle lets a doubtful minute become', () => {
  it.each([
    ['a prompt that never comes', within({ completion: 20, total: 120 })],
    ['cached tokens beyond their prompt', within({ prompt: 3, cached: 1_313, completion: 50, total: 1_366 })],
    ['a total of neither reading', apart({ prompt: 3, cached: 1_313, completion: 50, total: 1_365 })],
  ])('nothing, of %s that is told at once', (_, rows) => {
    expect(findWholeOutcome(rows)).toEqual([[]]);
  });

  it.each([
    ['with the cache', apart({ prompt: 3, cached: 1_313, completion: 50, total: 1_366 })],
    ['without the cache', apart({ prompt: 3, cached: 1_313, completion: 50, total: 53 })],
    ['without a total', apart({ prompt: 3, cached: 1_313 })],
  ])('all of it, where the total is good %s', (_, rows) => {
    expect(findWholeOutcome(rows)).toEqual([rows]);
  });

  it('also what was sound when it came, but never the total that contradicts it', () => {
    expect(textOf(findOutcomes(within({ completion: 20, total: 120 })))).toEqual(['', 'completion']);
    expect(textOf(findOutcomes(within({ cached: 30, total: 120 })))).toEqual(['']);
  });

  it('all of it in the end, in whatever order the rows of a whole minute come', () => {
    for (const rows of [
      within({ prompt: 100, cached: 30, completion: 20, reasoning: 5, total: 120 }),
      apart({ prompt: 3, cached: 1_313, completion: 50, total: 1_366 }),
    ])
      expect(findOutcomes(rows)).toEqual([rows]);
  });
});
