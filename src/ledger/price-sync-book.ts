import { checkPriceBook } from '../../pricing/price-book-check.ts';
import { type PriceRow, timelineKeyOf } from '../../pricing/price-rows.ts';
import { type ListedRow, RETAIL_SOURCE, rowOfListedPrice } from '../../pricing/retail-row.ts';
import { TallystickError } from '../errors.ts';
import type { LedgerTransaction } from './database.ts';
import { readPriceBook, seedLockedPriceBook } from './price-book.ts';
import { insertPriceBookContent, supersedePriceBookContent } from './price-book-rows.ts';

export interface ListedChange {
  actor: string;
  reason: string;
  now: Date;
  /** A person has looked: a price that steps far, or follows one that ended, is theirs to answer for. */
  isPersonsWord?: boolean;
}

/** What a finding must have told before its price can go into the book. */
type Listed = { [Field in keyof ListedRow]: ListedRow[Field] | null };

/**
 * Appends listed prices to the book as one change. The caller holds the book's lock, and the rows begin in the future,
 * so that no cost that was told is altered.
 * @returns the version of the book after it
 * @throws TallystickError CONFLICT naming the row that the book refuses
 */
export async function addListedPrices(
  transaction: LedgerTransaction,
  listed: readonly Listed[],
  change: ListedChange,
): Promise<string> {
  await seedLockedPriceBook(transaction, change.now);
  const book = await readPriceBook(transaction);
  const today = change.now.toISOString().slice(0, 10);
  const word = change.isPersonsWord === true ? change.reason.slice(0, 1_000) : '';
  const rows = listed.map((entry) => ({
    ...rowOfListedPrice(requireListed(entry), today),
    allowAbsurd: word,
    allowGap: word,
  }));
  const keys = new Set(rows.map(keyOf));
  const superseded = book.data.prices.filter((row) => keys.has(keyOf(row)));
  const kept = book.data.prices.filter((row) => !keys.has(keyOf(row)));
  const sources = {
    [RETAIL_SOURCE]: {
      title: 'Azure Retail Prices API',
      asOf: today,
      note: 'Synchronized by meter id. Prices before the first look are not taken from it.',
    },
  };
  const [problem] = checkPriceBook({
    ...book.data,
    sources: { ...book.data.sources, ...sources },
    prices: [...kept, ...rows],
  });
  if (problem !== undefined) throw refusedByBook(problem.subject, problem.message);
  const last = await transaction
    .selectFrom('price_book_changes')
    .select(({ fn }) => fn.max('change_id').as('change_id'))
    .executeTakeFirstOrThrow();
  const changeId = (last.change_id ?? 0n) + 1n;
  const version = `${book.version.split('+')[0]}+${changeId}`;
  await transaction
    .insertInto('price_book_changes')
    .values({
      change_id: changeId,
      kind: 'sync',
      made_at: change.now,
      made_by: change.actor,
      reason: change.reason,
      version,
    })
    .execute();
  await supersedePriceBookContent(transaction, changeId, { rows: superseded, deployments: [] });
  await insertPriceBookContent(transaction, changeId, { sources, models: [], deployments: [], prices: rows });
  return version;
}

function keyOf(row: PriceRow): string {
  return `${timelineKeyOf(row)} ${row.effectiveFrom}`;
}

function requireListed(entry: Listed): ListedRow {
  const { target, newPicoPerUnit, listedFrom, effectiveFrom } = entry;
  if (target === null || newPicoPerUnit === null || listedFrom === null || effectiveFrom === null) {
    throw new TallystickError('A listed price without a price was to go into the book.', {
      code: 'INTERNAL',
      retry: false,
    });
  }
  return { ...(entry as ListedRow), target, newPicoPerUnit, listedFrom, effectiveFrom };
}

function refusedByBook(subject: string, message: string): TallystickError {
  return new TallystickError(`The price book refuses ${subject}: ${message}.`, {
    code: 'CONFLICT',
    retry: false,
    fix: 'Reject it here, and add the price by hand as it should be.',
  });
}
