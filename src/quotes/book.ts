import { sql } from 'kysely';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import { hasProvisionedCapacity } from '../costs/average-costs.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { type PriceBookVersion, readPriceBookState } from '../prices/book.ts';

/**
 * The price book in force, and whether throughput was bought by the hour lately. One statement for what every quote
 * asks: the ways to the server and back are most of what a small one takes.
 */
export async function readQuoteBook(
  database: LedgerDatabase,
  now: Date,
): Promise<{ priceBook: PriceBook; isThroughputBought: boolean }> {
  const result = await sql<{
    book: Omit<PriceBookVersion, 'changeId'> & { changeId: string };
    is_bought: boolean;
  }>`
    select (select json_build_object('changeId', change_id::text, 'version', version, 'stateId', state_id)
              from price_book_changes order by change_id desc limit 1) as book,
           ${hasProvisionedCapacity(now)} as is_bought`.execute(database);
  const { book = null, is_bought: isThroughputBought = false } = result.rows[0] ?? {};
  const version = book === null ? undefined : { ...book, changeId: BigInt(book.changeId) };
  return { priceBook: await readPriceBookState(database, version), isThroughputBought };
}
