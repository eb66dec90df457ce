import type { JoinKind } from './syntax.ts';
import { KqlError, type KqlValue, type ResultTable } from './value.ts';

/**
 * Joins two finished tables on one column that both have. As in Kusto, a right column whose name the left has
 * already gets a 1 behind it, and a row with several matches comes several times.
 * @throws KqlError SemanticError when a side lacks the column
 */
export function joinTables(left: ResultTable, right: ResultTable, how: JoinKind, key: string): ResultTable {
  const leftKey = indexOf(left, key);
  const rightKey = indexOf(right, key);
  const matches = new Map<KqlValue, KqlValue[][]>();
  for (const row of right.rows) {
    const value = row[rightKey] ?? null;
    // A null equals nothing, itself included.
    if (value === null) continue;
    const found = matches.get(value);
    if (found === undefined) matches.set(value, [row]);
    else found.push(row);
  }
  const matchesOf = (row: KqlValue[]) => matches.get(row[leftKey] ?? null) ?? [];
  if (how === 'leftsemi') {
    return { columns: left.columns, rows: left.rows.filter((row) => matchesOf(row).length > 0) };
  }
  const taken = new Set(left.columns.map(({ name }) => name));
  const added = right.columns.map(({ name, type }) => ({ name: taken.has(name) ? `${name}1` : name, type }));
  const nothing = [right.columns.map(() => null)];
  return {
    columns: [...left.columns, ...added],
    rows: left.rows.flatMap((row) => {
      const found = matchesOf(row);
      return (found.length === 0 ? nothing : found).map((match) => [...row, ...match]);
    }),
  };
}

function indexOf(table: ResultTable, key: string): number {
  const index = table.columns.findIndex(({ name }) => name === key);
  if (index < 0) {
    throw new KqlError('SemanticError', `'join' operator: Failed to resolve column named '${key}'`);
  }
  return index;
}
