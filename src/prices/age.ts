import { bookAsOf, daysSince } from '../../pricing/prices/age.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { readPriceBook } from './book.ts';

/** How old the price book is. */
export interface PriceBookAge {
  version: string;
  /** The day of the lists that its prices in force are of (`2026-01-31`); null: no price names one. */
  asOf: string | null;
  ageDays: number | null;
}

export async function readPriceBookAge(database: LedgerDatabase, now: Date): Promise<PriceBookAge> {
  const book = await readPriceBook(database);
  const asOf = bookAsOf(book, now);
  return { version: book.version, asOf, ageDays: asOf === null ? null : daysSince(asOf, now) };
}
