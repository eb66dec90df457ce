import { type ListedRow, RETAIL_SOURCE, rowOfListedPrice } from '../../../pricing/retail/row.ts';
import type { LedgerTransaction } from '../../platform/database/database.ts';
import { TallystickError } from '../../platform/errors.ts';
import { changeLockedPriceBook } from '../book-changes.ts';

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
  const today = change.now.toISOString().slice(0, 10);
  const word = change.isPersonsWord === true ? change.reason.slice(0, 1_000) : '';
  const rows = listed.map((entry) => ({
    ...rowOfListedPrice(requireListed(entry), today),
    allowAbsurd: word,
    allowGap: word,
  }));
  const { plan, version } = await changeLockedPriceBook(transaction, {
    change: {
      rows,
      sources: {
        [RETAIL_SOURCE]: {
          title: 'Azure Retail Prices API',
          asOf: today,
          note: 'Synchronized by meter id. Prices before the first look are not taken from it.',
        },
      },
      // A change that was announced may be announced anew, for the same instant.
      supersede: true,
    },
    kind: 'sync',
    reason: change.reason,
    actor: change.actor,
    now: change.now,
  });
  const [problem] = plan.problems;
  if (problem === undefined) return version;
  throw new TallystickError(`The price book refuses ${problem.subject}: ${problem.message}.`, {
    code: 'CONFLICT',
    retry: false,
    fix: 'Reject it here, and add the price by hand as it should be.',
  });
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
