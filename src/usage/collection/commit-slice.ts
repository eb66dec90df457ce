import type { QueryRecipe } from '../../azure/source.ts';
import type { TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { TallystickError } from '../../platform/errors.ts';
import { insertUsageEvents, type UsageEvent } from '../events/usage-events.ts';
import { holdItems, noteHeldItems } from './held-items.ts';
import { countNotedMetrics, type NotedMetric } from './noted-metrics.ts';
import { ensurePartitions } from './partitions.ts';
import { insertNewSubjects } from './seen-subjects.ts';
import { insertSourceItems, type SourceItem } from './source-items.ts';
import { takeUpItems } from './waiting-items.ts';
import { moveWatermark } from './watermarks.ts';
import { appendWindow, findQueryId, hashRecipe, takeWindowId } from './window-chain.ts';

/** One collected slice: everything that becomes durable together. */
export interface CollectedSlice {
  source: string;
  cursorKind: 'ingestion' | 'event';
  window: TimeWindow;
  /** What was asked, but for the window. */
  recipe: QueryRecipe;
  rowCount: number;
  /** Items not known to the ledger, as far as the collector saw. */
  items: SourceItem[];
  /** Known items that waited in quarantine, and are sound as the source tells them now. */
  returningItems?: SourceItem[];
  /** Known items that waited for another reason, and wait because of their minute from now on. */
  heldItems?: SourceItem[];
  /** Known items that waited because of their minute and still do, for what it says with these. */
  stillHeldItems?: SourceItem[];
  events: UsageEvent[];
  /** Metrics of its rows that are only noted. */
  noted?: NotedMetric[];
  /** Absent for slices that do not move the watermark (backfills, partitions but the last). */
  watermark?: { from: Date | null; to: Date };
}

/** Thrown inside the transaction when some item's state turned out to be another; the caller looks and repeats. */
export class KnownItemsError extends TallystickError {
  override readonly name = 'KnownItemsError';
  constructor() {
    super('Some rows of this slice are in the ledger already.', { code: 'CONFLICT', retry: true });
  }
}

/**
 * Commits a slice: its items, the events made from them, new subjects, and the watermark, all or nothing.
 * @throws KnownItemsError when an item is in the ledger already, or no longer waits: events were then built
 *   from too much
 * @throws TallystickError STALE_LEASE when another collector moved the watermark
 */
export async function commitSlice(database: LedgerDatabase, slice: CollectedSlice, now: Date): Promise<void> {
  await ensurePartitions(database, 'source_items', new Set(slice.items.map((item) => item.eventDay)), now);
  const queryId = await findQueryId(database, slice.recipe);
  await database.transaction().execute(async (transaction) => {
    const windowId = await takeWindowId(transaction);
    const newCount = await insertSourceItems(transaction, windowId, slice.items);
    const returning = slice.returningItems ?? [];
    const takenUpCount = await takeUpItems(transaction, returning, now);
    await holdItems(transaction, slice.heldItems ?? []);
    await noteHeldItems(transaction, slice.stillHeldItems ?? []);
    if (newCount !== slice.items.length || takenUpCount !== returning.length) throw new KnownItemsError();
    await insertUsageEvents(transaction, slice.events, now);
    await insertNewSubjects(transaction, [...slice.items, ...returning], now);
    await countNotedMetrics(transaction, slice);
    const window = {
      source: slice.source,
      cursorKind: slice.cursorKind,
      window: slice.window,
      rowCount: slice.rowCount,
      newRowCount: slice.items.length,
      usageEventCount: slice.events.length,
      collectedAt: now,
      querySha256: hashRecipe(slice.recipe),
    };
    await appendWindow(transaction, window, { windowId, queryId });
    if (slice.watermark !== undefined) {
      await moveWatermark(transaction, { source: slice.source, ...slice.watermark, now });
    }
  });
}
