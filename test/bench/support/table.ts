import Table from 'cli-table3';
import type { BenchResult } from '../bench.ts';

const DETAIL_WIDTH = 70;

/** The table that people read. */
export function renderResults(results: readonly BenchResult[]): string {
  const table = new Table({
    head: ['bench', 'ratio', 'target', 'met', 'detail'],
    colAligns: ['left', 'right', 'right', 'left', 'left'],
    colWidths: [null, null, null, null, DETAIL_WIDTH],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const { name, ratio, target, better, met, detail } of results) {
    const bound = `${better === 'higher' ? '>=' : '<='} ${target}`;
    table.push([name, ratio.toFixed(3), bound, met === null ? '-' : met ? 'yes' : 'no', detail]);
  }
  return table.toString();
}
