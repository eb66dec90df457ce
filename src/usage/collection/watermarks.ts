import { sql } from 'kysely';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import { TallystickError } from '../../platform/errors.ts';

const RESCAN_PREFIX = 'rescan:';

/** Under this name stands the last night for which a source was rescanned. */
export function rescanWatermarkOf(source: string): string {
  return `${RESCAN_PREFIX}${source}`;
}

/** Whether a row of `watermarks` says how far a source was collected, and not rescanned. */
export const IS_COLLECTION = sql<boolean>`not starts_with(source, ${sql.lit(RESCAN_PREFIX)})`;

/** Up to which ingestion time a source has been collected; null before its first window. */
export async function readWatermark(database: LedgerDatabase, source: string): Promise<Date | null> {
  const row = await database
    .selectFrom('watermarks')
    .select('position')
    .where('source', '=', source)
    .executeTakeFirst();
  return row?.position ?? null;
}

/**
 * Moves the watermark on, inside the transaction that commits the window it passed.
 * @throws TallystickError STALE_LEASE when another runner moved it since `from` was read
 */
export async function moveWatermark(
  transaction: LedgerTransaction,
  move: { source: string; from: Date | null; to: Date; now: Date },
): Promise<void> {
  const moved =
    move.from === null
      ? await transaction
          .insertInto('watermarks')
          .values({ source: move.source, position: move.to, updated_at: move.now })
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst()
      : await transaction
          .updateTable('watermarks')
          .set({ position: move.to, updated_at: move.now })
          .where('source', '=', move.source)
          .where('position', '=', move.from)
          .executeTakeFirst();
  const count = 'numUpdatedRows' in moved ? moved.numUpdatedRows : moved.numInsertedOrUpdatedRows;
  if (count !== 1n) {
    throw new TallystickError(`Another collector moved the watermark of ${move.source}.`, {
      code: 'STALE_LEASE',
      retry: true,
      context: { source: move.source },
    });
  }
}
