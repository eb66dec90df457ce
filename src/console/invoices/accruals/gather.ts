import { sumAccruals } from '../../../../pricing/accruals/row.ts';
import { countOpenHours, readCustomerIds, readSettledThrough } from '../../../accruals/gather.ts';
import { type CustomerAccruals, readAccrualsOf } from '../../../accruals/report.ts';
import { readAccrualWindow } from '../../../accruals/window.ts';
import { textOf } from '../../../pages/address.ts';
import type { TablePage } from '../../../pages/table/columns.ts';
import { choosePage } from '../../../pages/table/page-of-rows.ts';
import type { TimeWindow } from '../../../platform/clock.ts';
import type { LedgerDatabase } from '../../../platform/database/database.ts';
import type { LedgerSnapshot } from '../../../platform/database/snapshot.ts';
import type { ConsoleView } from '../../frame/define-page.ts';
import { readNames } from '../../rollups/gather.ts';
import { type CustomerSums, sumsTable } from './tables.ts';

/** More customers than an installation has. */
const EVERY_CUSTOMER = 1_000_000;

export interface AccrualsMaterial {
  window: TimeWindow;
  openHourCount: bigint;
  page: TablePage<CustomerSums>;
  /** Of the page. */
  found: CustomerAccruals[];
  /** The one customer that is asked for; null: all are. */
  customerId: string | null;
}

/** Which customer the address asks for; the empty text is usage that is nobody's. */
export const askedCustomer = ({ address: { query } }: ConsoleView) => query.get('customer');

/** The instant of the address, a day or an hour; without one, up to when all that was collected is settled. */
export async function readAskedWindow(
  database: LedgerDatabase,
  { address: { query }, now }: ConsoleView,
): Promise<TimeWindow> {
  const text = textOf(query, 'at');
  const at = text === undefined ? undefined : /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
  const settledThrough = at === undefined ? await readSettledThrough(database) : null;
  return readAccrualWindow({ at }, { settledThrough, now });
}

export async function gatherAccrualsPage(
  snapshot: LedgerSnapshot,
  view: ConsoleView,
): Promise<AccrualsMaterial> {
  const window = await readAskedWindow(snapshot, view);
  const customerId = askedCustomer(view);
  const all = customerId === null ? await readCustomerIds(snapshot, null, EVERY_CUSTOMER) : [customerId];
  const { offset, pageSize, ...chosen } = choosePage(sumsTable(view), view.address.query, all.length);
  const found = await readAccrualsOf(snapshot, all.slice(offset, offset + pageSize), window);
  const names = await readNames(
    snapshot,
    found.map((each) => each.customerId),
  );
  const rows = found.flatMap((each) =>
    sumAccruals(each.rows).map((totals) => ({
      customerId: each.customerId,
      customerName: names.get(each.customerId) ?? each.customerId,
      totals,
    })),
  );
  return {
    window,
    openHourCount: await countOpenHours(snapshot, window.end),
    // Pages are of customers, of whom some have several rows and some none.
    page: { ...chosen, rowCount: chosen.pageCount === 1 ? rows.length : chosen.rowCount, rows },
    found,
    customerId,
  };
}
