import { readRatedDays } from '../../costs/rated-days.ts';
import type { Clock, TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import type { BillingAccount } from '../focus/cost-charges.ts';
import { readManifest, writeManifest } from './manifest.ts';
import type { ObjectStore } from './store.ts';
import { warehouseTables } from './tables.ts';
import { writeDay } from './write-day.ts';

export interface WarehouseOutcome {
  writtenDayCount: number;
  /** Days that lie there as they are. */
  unchangedDayCount: number;
}

/** The lease under which a warehouse is written: two at once would each forget in the manifest what the other wrote. */
export const WAREHOUSE_LEASE = 'export-warehouse';

/**
 * Brings a warehouse to what the ledger has: days that are not there, and those that were rated again since. The manifest
 * names a day after its objects are there, so that a run that is killed, or repeated, ends in the same objects.
 * @param window whole UTC days; null: all. @param isForced days that lie there as they are, too
 * @throws UpstreamError; TallystickError CONFLICT
 */
export async function exportWarehouse(
  { database, clock }: { database: LedgerDatabase; clock: Clock },
  {
    store,
    account,
    window = null,
    isForced = false,
  }: { store: ObjectStore; account: BillingAccount; window?: TimeWindow | null; isForced?: boolean },
  signal?: AbortSignal,
): Promise<WarehouseOutcome> {
  const manifest = await readManifest(store);
  const tables = warehouseTables(account);
  const outcome: WarehouseOutcome = { writtenDayCount: 0, unchangedDayCount: 0 };
  for (const { day, revision } of await readRatedDays(database, window)) {
    signal?.throwIfAborted();
    if (!isForced && manifest.days[day]?.revision === String(revision)) {
      outcome.unchangedDayCount += 1;
      continue;
    }
    const written = await writeDay(database, store, day, { tables, now: clock.now() });
    if (written === null) continue;
    manifest.days[day] = written;
    await writeManifest(store, manifest);
    outcome.writtenDayCount += 1;
  }
  return outcome;
}
