import type { PriceBook } from '../../pricing/prices/price-book.ts';
import type { PriceRow } from '../../pricing/prices/rows.ts';

/** A price, and when the next one of its key takes its place; null: none is known yet. */
export interface PriceInForce {
  row: PriceRow;
  until: string | null;
}

/** The price of every key at an instant. What is retired or not yet priced then is not among them. */
export function pricesInForce(book: PriceBook, at: Date): PriceInForce[] {
  return [...book.timelines.values()].flatMap((timeline) => {
    const index = timeline.findLastIndex(({ startMs }) => startMs <= at.getTime());
    const entry = timeline[index];
    if (entry === undefined || entry.picoPerUnit === null) return [];
    return [{ row: entry.row, until: timeline[index + 1]?.row.effectiveFrom ?? null }];
  });
}
