import { sql } from 'kysely';
import { azureOpenAiPriceBook } from '../../pricing/prices/azure-openai.ts';
import { createPriceBook, type PriceBook } from '../../pricing/prices/price-book.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';
import { insertPriceBookContent, readPriceBookContent } from './book-rows.ts';

/** Any fixed number; one change of the price book is made at a time. */
const ADVISORY_LOCK_KEY = 7_411_971;

/** A version of the price book: the state after one change. */
export interface PriceBookVersion {
  changeId: bigint;
  version: string;
  stateId: string;
}

/** A ledger that was never seeded answers from the shipped list; change 0 is no change of any ledger. */
const SHIPPED: PriceBookVersion = {
  changeId: 0n,
  version: `${azureOpenAiPriceBook.version}+0`,
  stateId: `shipped ${azureOpenAiPriceBook.version}`,
};

/**
 * Books by the id of their state, which is of one ledger and for good. So a Worker, which opens its ledger for each
 * request, reads the rows once and not for every request.
 */
const bookByState = new Map<string, PriceBook>();
const MAX_CACHED_BOOKS = 32;

/**
 * The price book, now or as it was after an earlier change. One cheap query when that state was read before.
 * @param options.version `7`, or the text that `book.version` has
 * @throws TallystickError NOT_FOUND when there is no such version
 */
export async function readPriceBook(
  database: LedgerDatabase,
  options: { version?: string } = {},
): Promise<PriceBook> {
  return await readPriceBookState(database, await readPriceBookVersion(database, options));
}

/** The price book in a state whose version the caller read; without a version, as it was shipped. */
export async function readPriceBookState(
  database: LedgerDatabase,
  version: PriceBookVersion = SHIPPED,
): Promise<PriceBook> {
  const known = bookByState.get(version.stateId);
  if (known !== undefined) return known;
  const { provider, currency, ...shipped } = azureOpenAiPriceBook.data;
  const content = version === SHIPPED ? shipped : await readPriceBookContent(database, version.changeId);
  const book = createPriceBook({ ...content, provider, currency, version: version.version });
  if (bookByState.size >= MAX_CACHED_BOOKS) bookByState.delete(bookByState.keys().next().value ?? '');
  bookByState.set(version.stateId, book);
  return book;
}

/**
 * Which version is in force, or which one a text means.
 * @throws TallystickError NOT_FOUND
 */
export async function readPriceBookVersion(
  database: LedgerDatabase,
  options: { version?: string } = {},
): Promise<PriceBookVersion> {
  const { version } = options;
  const changes = database
    .selectFrom('price_book_changes')
    .select(['change_id as changeId', 'version', 'state_id as stateId']);
  if (version === undefined) {
    return (await changes.orderBy('change_id', 'desc').limit(1).executeTakeFirst()) ?? SHIPPED;
  }
  if (version === SHIPPED.version) return SHIPPED;
  const found = /^\d{1,15}$/.test(version)
    ? await changes.where('change_id', '=', BigInt(version)).executeTakeFirst()
    : await changes.where('version', '=', version).executeTakeFirst();
  if (found === undefined) {
    const current = await readPriceBookVersion(database);
    throw new TallystickError(`The price book has no version ${JSON.stringify(version.slice(0, 100))}.`, {
      code: 'NOT_FOUND',
      retry: false,
      fix: `The current one is ${current.version}; versions are numbered from 1.`,
    });
  }
  return found;
}

/**
 * Puts the shipped price list into a ledger that has no price book yet; else does nothing.
 * @returns whether it did
 */
export async function seedPriceBook(database: LedgerDatabase, now: Date): Promise<boolean> {
  if ((await readPriceBookVersion(database)) !== SHIPPED) return false;
  return await database.transaction().execute(async (transaction) => {
    await lockPriceBook(transaction);
    return await seedLockedPriceBook(transaction, now);
  });
}

/** The same, where the caller holds the lock. */
export async function seedLockedPriceBook(transaction: LedgerTransaction, now: Date): Promise<boolean> {
  if ((await readPriceBookVersion(transaction)) !== SHIPPED) return false;
  const { data } = azureOpenAiPriceBook;
  await transaction
    .insertInto('price_book_changes')
    .values({
      change_id: 1n,
      kind: 'seed',
      made_at: now,
      made_by: 'tallystick',
      reason: `The price list shipped as ${data.version}.`,
      version: `${data.version}+1`,
    })
    .execute();
  await insertPriceBookContent(transaction, 1n, data);
  await writeAudit(transaction, {
    actor: 'tallystick',
    action: 'price_book.seed',
    target: `${data.version}+1`,
    details: { addedRows: data.prices.length },
    now,
  });
  return true;
}

/** Until the transaction ends nobody else changes the price book. */
export async function lockPriceBook(transaction: LedgerTransaction): Promise<void> {
  await sql`select pg_advisory_xact_lock(${sql.lit(ADVISORY_LOCK_KEY)})`.execute(transaction);
}
