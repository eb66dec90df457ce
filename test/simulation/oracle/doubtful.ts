import type { FatedRow } from '../traffic/traffic.ts';

/** What a row of a minute adds, as the oracle reads it. */
export interface ToldRow {
  figure: 'prompt' | 'cached' | 'completion' | 'reasoning' | 'total';
  count: bigint;
  /** How the maker's total reads cached tokens that it tells beside the prompt; absent: they are within. */
  toldApart?: FatedRow['toldApart'];
}

/**
 * What may become usage of a minute whose rows are never whole: each set of rows that one order of their coming ends with.
 * What is told together is judged together with what waits; what is usage stays usage, even if the rest turns out to
 * contradict it. Whatever is in no set must never be.
 */
export function findOutcomes<Row extends ToldRow>(rows: readonly Row[]): Row[][] {
  const all = (1 << rows.length) - 1;
  const pick = (mask: number) => rows.filter((_, index) => (mask & (1 << index)) !== 0);
  const outcomes = new Set<number>();
  const seen = new Set<string>();
  const visit = (sent: number, held: number): void => {
    const state = `${sent} ${held}`;
    if (seen.has(state)) return;
    seen.add(state);
    const left = all & ~(sent | held);
    if (left === 0) outcomes.add(sent);
    for (let told = left; told > 0; told = (told - 1) & left) {
      const waiting = held | told;
      const alone = agrees(pick(waiting));
      const hasTotal = pick(waiting).some(({ figure }) => figure === 'total');
      const isFree = (alone && (hasTotal || sent === 0)) || (sent !== 0 && agrees(pick(sent | waiting)));
      if (isFree) visit(sent | waiting, 0);
      else visit(sent, waiting);
    }
  };
  visit(0, 0);
  return [...outcomes].map(pick);
}

/** The same where all of them are always told together: all or nothing. */
export function findWholeOutcome<Row extends ToldRow>(rows: readonly Row[]): Row[][] {
  return [agrees(rows) ? [...rows] : []];
}

/** Whether rows can all be true. Without a total nothing but parts that are more than their whole can be wrong. */
function agrees(rows: readonly ToldRow[]): boolean {
  const sum = (...figures: ToldRow['figure'][]) =>
    rows.reduce((total, { figure, count }) => (figures.includes(figure) ? total + count : total), 0n);
  const isApart = rows.some(({ toldApart }) => toldApart !== undefined);
  if (!isApart && sum('cached') > sum('prompt')) return false;
  if (sum('reasoning') > sum('completion')) return false;
  if (!rows.some(({ figure }) => figure === 'total')) return true;
  const without = sum('prompt', 'completion');
  // Either reading is good, whichever the maker's gateway has.
  return sum('total') === without || (isApart && sum('total') === without + sum('cached'));
}
