import { renderTable } from '../platform/terminal/output.ts';
import type { PriceImportBody } from './import-schemas.ts';
import { keyCells, renderPriceChange } from './text.ts';

/** Rows of each list that a terminal shows; --json has more. */
const MAX_SHOWN = 100;

/** What the import changes, and everything that was not understood with what tells it apart. */
export function renderPriceImport(change: PriceImportBody): string {
  const prices = change.addedPrices.slice(0, MAX_SHOWN).map((after, index) => {
    const before = change.pricesBefore[index];
    return [
      ...keyCells(after),
      before === null || before === undefined ? 'none' : `${before.amount} / ${before.unit}`,
      `${after.amount} / ${after.unit}`,
      after.effectiveFrom ?? '',
    ];
  });
  const notTaken = change.notTaken.slice(0, MAX_SHOWN).map(({ line, subject, why, details }) => [
    line === 0 ? '' : String(line),
    subject,
    why,
    Object.entries(details)
      .map(([name, word]) => `${name}: ${word}`)
      .join('; '),
  ]);
  return [
    ...(change.format === 'yaml' || change.format === 'csv' ? [] : [`Read as ${change.format}.`]),
    renderPriceChange(change),
    ...(prices.length === 0
      ? []
      : [renderTable(['model', 'type', 'region', 'kind', 'before', 'after', 'from'], prices, [4, 5])]),
    ...more(change.addedPrices.length - prices.length),
    ...(notTaken.length === 0
      ? []
      : [
          `Not understood: ${change.notTakenCount}`,
          renderTable(['line', 'what', 'why', 'details'], notTaken),
        ]),
    ...more(change.notTakenCount - notTaken.length),
  ].join('\n');
}

function more(count: number): string[] {
  return count > 0 ? [`and ${count} more (--json)`] : [];
}
