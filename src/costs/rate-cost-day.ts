import type { PriceBook } from '../../pricing/prices/price-book.ts';
import { modelsPricedByPart, modelsPricedBySize, priceSegments } from '../../pricing/prices/segments.ts';
import { floorToHour, windowOfDay } from '../platform/clock.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { readUntoldHours } from '../usage/collection/measured-figures.ts';
import { type DayTotals, lockCostDay, readPricedKinds, replaceDailyCosts } from './daily-costs.ts';
import { readLargeHours } from './large-hours.ts';
import { clearDueDay, readDueDay } from './notes.ts';
import { allocatePurchases } from './provisioned/hours.ts';
import { readPurchases } from './provisioned/provisioned.ts';

/**
 * Rates a day that is noted as due: every hour at the price in force when it began, capacity divided among its users.
 * All of it is one transaction, with the audit row when it was rated before and prices or capacity have changed.
 * @returns what the day costs now; null when nothing was noted of it any more
 */
export async function rateCostDay(
  database: LedgerDatabase,
  day: string,
  book: PriceBook,
  now: Date,
): Promise<DayTotals | null> {
  const window = windowOfDay(day);
  return await database.transaction().execute(async (transaction) => {
    const before = await lockCostDay(transaction, day);
    // Read before the usage is: what is added meanwhile changes the note, which then stays.
    const due = await readDueDay(transaction, day);
    if (due === null) return null;
    const kinds = await readPricedKinds(transaction, window);
    const untold = await readUntoldHours(transaction, window, modelsPricedByPart(book, kinds, window));
    const large = await readLargeHours(transaction, window, modelsPricedBySize(book, kinds, window));
    const segments = priceSegments(book, kinds, window, untold, large);
    const purchases = await readPurchases(transaction, window);
    const { provisioned, allocated } = await allocatePurchases(
      transaction,
      purchases,
      window,
      floorToHour(now),
    );
    const after = await replaceDailyCosts(transaction, day, {
      segments,
      provisioned,
      allocated,
      priceBookVersion: book.version,
      now,
    });
    if (due.cause !== null && before.revision > 0n) {
      await writeAudit(transaction, {
        actor: 'job:rate-usage',
        action: 'costs.rerate',
        target: day,
        details: {
          cause: due.cause,
          priceBookVersion: book.version,
          before: showTotals(before),
          after: showTotals(after),
        },
        now,
      });
    }
    await clearDueDay(transaction, day, due.note);
    return after;
  });
}

function showTotals(totals: DayTotals): Record<string, string> {
  return Object.fromEntries(Object.entries(totals).map(([name, value]) => [name, String(value)]));
}
