import { CompiledQuery } from 'kysely';
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

/** Quotes of one statement: enough to share a commit, few enough that none waits long for the others. */
const MOST_PER_STATEMENT = 64;
/** While some are committed the next ones are on their way; more would only take connections from others. */
const MOST_STATEMENTS_AT_ONCE = 2;
/** Fewer wait for the statement before them: a commit of their own would cost more than the wait. */
const WORTH_A_SECOND_STATEMENT = 16;

const writers = new WeakMap<LedgerDatabase, (quote: NewQuote) => Promise<void>>();

/**
 * Stores a quote for good; resolves once it is committed. Quotes that come together, or while others are written, go
 * together, so that a crowd of them costs few commits.
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
  let waiting: Waiting[] = [];
  let statementCount = 0;
  let isStarting = false;
  const start = () => {
    isStarting = false;
    while (statementCount < MOST_STATEMENTS_AT_ONCE) {
      if (waiting.length < (statementCount === 0 ? 1 : WORTH_A_SECOND_STATEMENT)) return;
      const batch = waiting.slice(0, MOST_PER_STATEMENT);
      waiting = waiting.slice(MOST_PER_STATEMENT);
      statementCount += 1;
      void writeTogether(database, batch).finally(() => {
        statementCount -= 1;
        start();
      });
    }
  };
  return (quote) =>
    new Promise((resolve, reject) => {
      waiting.push({ quote, resolve, reject });
      // Those who shared a read arrive one right after the other: all of them before this runs.
      if (!isStarting) queueMicrotask(start);
      isStarting = true;
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

/** Stands between texts. JSON text cannot hold it, nor can what we make ourselves: ids, hashes, instants. */
const SEPARATOR = '\u001e';

const INSERT = `
  insert into quotes (quote_id, result_hash, created_at, valid_until, request, result, snapshot, price_book_version,
    customer_id, plan_id, plan_version, created_by)
  select quote_id, result_hash, created_at::timestamptz, valid_until::timestamptz, request, result, snapshot,
         price_book_version, customer_id, plan_id, plan_version, created_by
    from unnest(${[1, 2, 3, 4, 5, 6, 7].map((place) => `string_to_array($${place}, e'\\x1e')`).join(', ')},
           $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
      as quote (quote_id, result_hash, created_at, valid_until, request, result, snapshot,
           price_book_version, customer_id, plan_id, plan_version, created_by)`;

/** A column goes as one text: an array would have each of its texts escaped and read again. */
async function insertQuotes(database: LedgerDatabase, quotes: readonly NewQuote[]): Promise<void> {
  const join = (textOf: (quote: NewQuote) => string) => quotes.map(textOf).join(SEPARATOR);
  await database.executeQuery(
    CompiledQuery.raw(INSERT, [
      join((quote) => quote.quoteId),
      join((quote) => quote.resultHash),
      join((quote) => quote.createdAt.toISOString()),
      join((quote) => quote.validUntil.toISOString()),
      join((quote) => quote.request),
      join((quote) => quote.result),
      join((quote) => quote.snapshot),
      // Names that others chose may hold any character.
      quotes.map((quote) => quote.priceBookVersion),
      quotes.map((quote) => quote.customerId),
      quotes.map((quote) => quote.planId),
      quotes.map((quote) => quote.planVersion),
      quotes.map((quote) => quote.createdBy),
    ]),
  );
}
