import type { TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { readCollectedFrom } from '../../usage/collection/collected-from.ts';

/** The window that another one is compared with. */
export interface Comparison {
  window: TimeWindow;
  /** Since when usage is collected; null: nobody has written it down. */
  collectedFrom: Date | null;
  /** The same window; null where it was collected in part, or not at all: more than a part of something is no growth. */
  before: TimeWindow | null;
}

/** Decides whether a window can be compared with: for headlines, columns, movers and the API alike. */
export async function readComparison(database: LedgerDatabase, window: TimeWindow): Promise<Comparison> {
  const collectedFrom = await readCollectedFrom(database);
  const isWhole = collectedFrom === null || collectedFrom <= window.start;
  return { window, collectedFrom, before: isWhole ? window : null };
}
