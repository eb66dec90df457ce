import { sql } from 'kysely';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import { hasProvisionedCapacity } from '../costs/average-costs.ts';
import { type RawSellRate, type SellRateRow, toSellRate, usualSellRates } from '../plans/sell-rates.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { type PriceBookVersion, readPriceBookState } from '../prices/book.ts';

/** What every quote asks for. */
export interface QuoteBasis {
  priceBook: PriceBook;
  /** Whether throughput was bought by the hour lately. */
  isThroughputBought: boolean;
  /** The usual rates in the currency that was asked for; none when none was. */
  usualRates: SellRateRow[];
}

/**
 * The price book in force, what throughput was bought, and the usual rates in a currency, in one statement: the ways to
 * the server and back are most of what a small quote takes, and what one statement reads is of one instant.
 */
export async function readQuoteBasis(
  database: LedgerDatabase,
  { now, ratesIn }: { now: Date; ratesIn: string | null },
): Promise<QuoteBasis> {
  const rates =
    ratesIn === null
      ? sql`null`
      : sql`(select json_agg(usual_rates) from (${usualSellRates(ratesIn)}) as usual_rates)`;
  const result = await sql<{
    book: Omit<PriceBookVersion, 'changeId'> & { changeId: string };
    is_bought: boolean;
    rates: RawSellRate[] | null;
  }>`
    select (select json_build_object('changeId', change_id::text, 'version', version, 'stateId', state_id)
              from price_book_changes order by change_id desc limit 1) as book,
           ${hasProvisionedCapacity(now)} as is_bought, ${rates} as rates`.execute(database);
  const { book = null, is_bought: isThroughputBought = false, rates: rows = null } = result.rows[0] ?? {};
  const version = book === null ? undefined : { ...book, changeId: BigInt(book.changeId) };
  return {
    priceBook: await readPriceBookState(database, version),
    isThroughputBought,
    usualRates: (rows ?? []).map(toSellRate),
  };
}
