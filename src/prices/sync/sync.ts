import { diffRetailPrices, type RetailDiff, type RetailFinding } from '../../../pricing/retail/diff.ts';
import type { RetailItem } from '../../../pricing/retail/item.ts';
import type { RetailMeterMap, RetailMeterRow } from '../../../pricing/retail/meter-map.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { lockPriceBook, readPriceBook } from '../book.ts';
import { addListedPrices } from './book.ts';
import { followWaitingItems, insertAppliedItems, readSeenMeters, rememberSeenMeters } from './items.ts';
import { readMeterMap } from './meter-map.ts';
import { finishPriceSync, type PriceSyncRun } from './runs.ts';

export interface PriceSyncInput {
  list: { items: readonly RetailItem[]; pageCount: number };
  /** The mapping file; what people said of meters in the ledger goes above it. */
  fileRows: readonly RetailMeterRow[];
  smallChangePercent: number;
  now: Date;
}

/** Who the audit log and the price book name for what needed nobody. */
const SYNC_ACTOR = 'job:sync-prices';

/** Holds the list against the book as it is now. Writes nothing. */
export async function diffWithBook(
  database: LedgerDatabase,
  input: PriceSyncInput,
): Promise<{ diff: RetailDiff; map: RetailMeterMap; bookVersion: string }> {
  const [book, map, knownMeters] = [
    await readPriceBook(database),
    await readMeterMap(database, input.fileRows),
    await readSeenMeters(database),
  ];
  const diff = diffRetailPrices(input.list.items, map, book, {
    now: input.now,
    smallChangePercent: input.smallChangePercent,
    knownMeters,
  });
  return { diff, map, bookVersion: book.version };
}

/**
 * Does what a synchronization found, all of it in one transaction: small changes become new rows of the book, what
 * else is new waits for a person, and the run is done.
 * @throws TallystickError CONFLICT when the run is over already
 */
export async function applyPriceSync(
  database: LedgerDatabase,
  input: PriceSyncInput & { run: PriceSyncRun },
): Promise<PriceSyncRun> {
  const { run, list, now } = input;
  const runId = run.priceSyncRunId;
  return await database.transaction().execute(async (transaction) => {
    // Between the look at the book and the change of it nobody else changes it.
    await lockPriceBook(transaction);
    const { diff, map, bookVersion } = await diffWithBook(transaction, input);
    const small = diff.findings.filter(({ verdict }) => verdict === 'small_change');
    const waiting = diff.findings.filter(
      ({ verdict }) => verdict !== 'small_change' && verdict !== 'unchanged',
    );
    const bookVersionAfter =
      small.length === 0
        ? bookVersion
        : await addListedPrices(transaction, small, {
            actor: SYNC_ACTOR,
            reason: `Small changes of the retail price list, found by ${runId}.`,
            now,
          });
    await insertAppliedItems(transaction, runId, small, now);
    const waitingCount = await followWaitingItems(transaction, runId, waiting, now);
    await rememberSeenMeters(transaction, mappedMeters(list.items, map), now);
    return await finishPriceSync(transaction, runId, {
      counts: {
        pageCount: list.pageCount,
        itemCount: diff.itemCount,
        ignoredCount: diff.ignoredCount,
        unchangedCount: countOf(diff.findings, 'unchanged'),
        appliedCount: small.length,
        waitingCount,
      },
      bookVersionBefore: bookVersion,
      bookVersionAfter,
      now,
    });
  });
}

function countOf(findings: readonly RetailFinding[], verdict: RetailFinding['verdict']): number {
  return findings.filter((finding) => finding.verdict === verdict).length;
}

function mappedMeters(items: readonly RetailItem[], map: RetailMeterMap): Map<string, string> {
  return new Map(
    items
      .filter((item) => map.has(item.meterId.toLowerCase()))
      .map((item) => [item.meterId.toLowerCase(), item.meterName]),
  );
}
