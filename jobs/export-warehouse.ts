import { exportWarehouse, type WarehouseOutcome } from '../src/exports/warehouse/export-warehouse.ts';
import type { JobDependencies } from './dependencies.ts';

/** Brings the warehouse that is configured to what the ledger has; without one there is nothing to do. */
export async function exportWarehouseDays(
  deps: Pick<JobDependencies, 'database' | 'clock' | 'warehouse'>,
  signal?: AbortSignal,
): Promise<WarehouseOutcome> {
  const { warehouse } = deps;
  if (warehouse === undefined) return { writtenDayCount: 0, unchangedDayCount: 0 };
  const store = await warehouse.openStore();
  return await exportWarehouse(deps, { store, account: warehouse.account }, signal);
}
