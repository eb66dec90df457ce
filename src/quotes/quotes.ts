import { sql } from 'kysely';
import { camelRow } from '../platform/database/camel-row.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';

/** What the id of a quote looks like. */
export const QUOTE_ID = /^quote_[A-Za-z0-9_-]{16,64}$/;

export interface NewQuote {
  quoteId: string;
  /** JSON texts, kept to the letter. */
  request: string;
  result: string;
  snapshot: string;
  resultHash: string;
  priceBookVersion: string;
  customerId: string | null;
  planId: string | null;
  planVersion: string | null;
  createdBy: string;
  createdAt: Date;
  validUntil: Date;
}

/** Stores a quote for good. */
export async function insertQuote(database: LedgerDatabase, quote: NewQuote): Promise<void> {
  await database
    .insertInto('quotes')
    .values({
      quote_id: quote.quoteId,
      request: quote.request,
      result: quote.result,
      snapshot: quote.snapshot,
      result_hash: quote.resultHash,
      price_book_version: quote.priceBookVersion,
      customer_id: quote.customerId,
      plan_id: quote.planId,
      plan_version: quote.planVersion,
      created_by: quote.createdBy,
      created_at: quote.createdAt,
      valid_until: quote.validUntil,
    })
    .execute();
}

export interface StoredQuote {
  quoteId: string;
  request: unknown;
  /** The answer's text, to the letter. */
  resultText: string;
  /** What it was computed from, as JSON text; null for quotes of older versions, which cannot be asked again. */
  snapshotText: string | null;
  resultHash: string | null;
  priceBookVersion: string;
  planId: string | null;
  planVersion: string | null;
  customerId: string | null;
  createdBy: string;
  createdAt: Date;
  validUntil: Date | null;
}

/** @throws TallystickError NOT_FOUND */
export async function getQuote(database: LedgerDatabase, quoteId: string): Promise<StoredQuote> {
  const row = await database
    .selectFrom('quotes')
    .select([
      'quote_id',
      'request',
      'result as result_text',
      'snapshot as snapshot_text',
      'result_hash',
      'price_book_version',
      'plan_id',
      'plan_version',
      'customer_id',
      'created_by',
      'created_at',
      'valid_until',
    ])
    .where('quote_id', '=', quoteId)
    .executeTakeFirst();
  if (row === undefined) {
    throw new TallystickError('No quote has this id.', { code: 'NOT_FOUND', retry: false });
  }
  return { ...camelRow(row), request: JSON.parse(row.request) };
}

export interface QuoteListEntry {
  quoteId: string;
  title: string | null;
  customerId: string | null;
  planId: string | null;
  currency: string;
  /** Sum of the invoice lines as decimal text; null where a price is not known. */
  invoiceAmount: string | null;
  createdBy: string;
  createdAt: Date;
  validUntil: Date | null;
  acceptedAt: Date | null;
}

/** Stored quotes, the newest first. */
export async function listQuotes(
  database: LedgerDatabase,
  query: {
    customerId?: string | undefined;
    createdBy?: string | undefined;
    /** Creation instant as ISO text, and id, of the last quote of the page before. */
    after: readonly string[] | null;
    limit: number;
  },
): Promise<QuoteListEntry[]> {
  let select = database
    .selectFrom('quotes')
    .leftJoin('quote_acceptances as accepted', 'accepted.quote_id', 'quotes.quote_id')
    .select([
      'quotes.quote_id',
      sql<string | null>`result::json ->> 'title'`.as('title'),
      'customer_id',
      'plan_id',
      sql<string>`result::json ->> 'currency'`.as('currency'),
      sql<string | null>`result::json -> 'totals' -> 'invoiceAmount' ->> 'amount'`.as('invoice_amount'),
      'created_by',
      'created_at',
      'valid_until',
      'accepted.accepted_at',
    ]);
  if (query.customerId !== undefined) select = select.where('customer_id', '=', query.customerId);
  if (query.createdBy !== undefined) select = select.where('created_by', '=', query.createdBy);
  if (query.after !== null) {
    const [createdAt, quoteId] = query.after;
    select = select.where(
      sql<boolean>`(created_at, quotes.quote_id) < (${createdAt}::timestamptz, ${quoteId})`,
    );
  }
  const rows = await select
    .orderBy('created_at', 'desc')
    .orderBy('quotes.quote_id', 'desc')
    .limit(query.limit)
    .execute();
  return rows.map(camelRow);
}
