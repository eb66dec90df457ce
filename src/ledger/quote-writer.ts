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

/** Quotes of one statement: enough to share a commit, few enough that none waits long for the others. */
const MOST_PER_STATEMENT = 64;

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

/** The texts go as they are, inside one JSON text: the columns of type json keep them to the letter. */
async function insertQuotes(database: LedgerDatabase, quotes: readonly NewQuote[]): Promise<void> {
  const rows = quotes.map(({ request, result, snapshot, ...columns }) => {
    const plain = JSON.stringify(columns);
    return `${plain.slice(0, -1)},"request":${request},"result":${result},"snapshot":${snapshot}}`;
  });
  await sql`
    insert into quotes (quote_id, request, result, snapshot, result_hash, price_book_version, customer_id, plan_id,
      plan_version, created_by, created_at, valid_until)
    select * from json_to_recordset(${`[${rows.join(',')}]`}::json) as quote ("quoteId" text, "request" json, "result" json,
      "snapshot" json, "resultHash" text, "priceBookVersion" text, "customerId" text, "planId" text, "planVersion" text,
      "createdBy" text, "createdAt" timestamptz, "validUntil" timestamptz)`.execute(database);
}
