import { sql } from 'kysely';
import type { LedgerDatabase } from './database.ts';

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

interface Waiting {
  quote: NewQuote;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Quotes of one statement: within what a statement's parameters hold and one commit makes quick. */
const MOST_PER_STATEMENT = 200;

const writers = new WeakMap<LedgerDatabase, (quote: NewQuote) => Promise<void>>();

/**
 * Stores a quote for good; resolves once it is committed. Quotes that come while others are written wait for them and
 * then go together, so that a crowd of them costs one commit.
 */
export async function insertQuote(database: LedgerDatabase, quote: NewQuote): Promise<void> {
  let write = writers.get(database);
  if (write === undefined) {
    write = createQuoteWriter(database);
    writers.set(database, write);
  }
  await write(quote);
}

function createQuoteWriter(database: LedgerDatabase): (quote: NewQuote) => Promise<void> {
  const waiting: Waiting[] = [];
  let isWriting = false;
  const writeAll = async () => {
    isWriting = true;
    while (waiting.length > 0) await writeTogether(database, waiting.splice(0, MOST_PER_STATEMENT));
    isWriting = false;
  };
  return (quote) =>
    new Promise((resolve, reject) => {
      waiting.push({ quote, resolve, reject });
      if (!isWriting) void writeAll();
    });
}

/** One that cannot be written must not take the others with it: after a failure each is written alone. */
async function writeTogether(database: LedgerDatabase, batch: readonly Waiting[]): Promise<void> {
  try {
    await insertQuotes(
      database,
      batch.map(({ quote }) => quote),
    );
    for (const { resolve } of batch) resolve();
  } catch (error) {
    const [only, ...others] = batch;
    if (others.length === 0) {
      only?.reject(error);
      return;
    }
    for (const one of batch) await writeTogether(database, [one]);
  }
}

async function insertQuotes(database: LedgerDatabase, quotes: readonly NewQuote[]): Promise<void> {
  const texts = (pick: (quote: NewQuote) => string | null) => quotes.map(pick);
  await sql`
    insert into quotes (quote_id, request, result, snapshot, result_hash, price_book_version, customer_id, plan_id,
      plan_version, created_by, created_at, valid_until)
    select quote_id, request::json, result::json, snapshot::json, result_hash, price_book_version, customer_id, plan_id,
      plan_version, created_by, created_at::timestamptz, valid_until::timestamptz
    from unnest(${texts((quote) => quote.quoteId)}::text[], ${texts((quote) => quote.request)}::text[],
      ${texts((quote) => quote.result)}::text[], ${texts((quote) => quote.snapshot)}::text[],
      ${texts((quote) => quote.resultHash)}::text[], ${texts((quote) => quote.priceBookVersion)}::text[],
      ${texts((quote) => quote.customerId)}::text[], ${texts((quote) => quote.planId)}::text[],
      ${texts((quote) => quote.planVersion)}::text[], ${texts((quote) => quote.createdBy)}::text[],
      ${texts((quote) => quote.createdAt.toISOString())}::text[],
      ${texts((quote) => quote.validUntil.toISOString())}::text[])
      as new (quote_id, request, result, snapshot, result_hash, price_book_version, customer_id, plan_id, plan_version,
        created_by, created_at, valid_until)`.execute(database);
}
