import { sql } from 'kysely';
import type { TimeWindow } from '../clock.ts';
import { TallystickError } from '../errors.ts';
import type { LedgerDatabase } from './database.ts';
import type { TokenType } from './schema.ts';
import { belongsTo } from './usage-queries.ts';

export interface StoredQuote {
  quoteId: string;
  /** What was asked and answered, as JSON; never changed after. */
  request: unknown;
  result: unknown;
  priceBookVersion: string;
  createdBy: string;
  createdAt: Date;
}

/** Stores a quote for good. Its id is random, so that quotes cannot be listed by guessing. */
export async function insertQuote(database: LedgerDatabase, quote: StoredQuote): Promise<void> {
  await database
    .insertInto('quotes')
    .values({
      quote_id: quote.quoteId,
      request: JSON.stringify(quote.request),
      result: JSON.stringify(quote.result),
      price_book_version: quote.priceBookVersion,
      created_by: quote.createdBy,
      created_at: quote.createdAt,
    })
    .execute();
}

/** @throws TallystickError NOT_FOUND */
export async function getQuote(database: LedgerDatabase, quoteId: string): Promise<StoredQuote> {
  const row = await database
    .selectFrom('quotes')
    .selectAll()
    .where('quote_id', '=', quoteId)
    .executeTakeFirst();
  if (row === undefined) {
    throw new TallystickError('No quote has this id.', { code: 'NOT_FOUND', retry: false });
  }
  return {
    quoteId: row.quote_id,
    request: row.request,
    result: row.result,
    priceBookVersion: row.price_book_version,
    createdBy: row.created_by,
    createdAt: row.created_at,
  };
}

/** A customer's settled tokens of a window by model, feature, deployment and token type. */
export async function readCustomerUsageForQuote(
  database: LedgerDatabase,
  customerId: string,
  window: TimeWindow,
): Promise<
  { model: string; feature: string; deployment: string; tokenType: TokenType; tokenCount: bigint }[]
> {
  const result = await sql<{
    model: string;
    feature: string;
    deployment: string;
    token_type: TokenType;
    token_count: bigint;
  }>`
    select model, feature, deployment, token_type, sum(delta_token_count)::bigint as token_count
      from hourly_usage as usage
     where window_start >= ${window.start} and window_start < ${window.end}
       and ${belongsTo(customerId)}
     group by model, feature, deployment, token_type
     order by model, feature, deployment, token_type`.execute(database);
  return result.rows.map((row) => ({
    model: row.model,
    feature: row.feature,
    deployment: row.deployment,
    tokenType: row.token_type,
    tokenCount: row.token_count,
  }));
}
