import {
  createMeterMap,
  type RetailMeterMap,
  type RetailMeterRow,
} from '../../../pricing/retail/meter-map.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { readLedgerMeters } from './retail-meters.ts';

/** What meters are: the reviewed file, and above it what people said in the ledger, be it that a meter is nothing. */
export async function readMeterMap(
  database: LedgerDatabase,
  fileRows: readonly RetailMeterRow[],
): Promise<RetailMeterMap> {
  const ledgerMeters = await readLedgerMeters(database);
  const withdrawn = new Set(ledgerMeters.filter(({ row }) => row === null).map(({ meterId }) => meterId));
  return createMeterMap(
    fileRows.filter(({ meterId }) => !withdrawn.has(meterId)),
    ledgerMeters.flatMap(({ row }) => (row === null ? [] : [row])),
  );
}
