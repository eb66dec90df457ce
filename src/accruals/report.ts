import type { AccrualRow } from '../../pricing/accruals/row.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';
import { decideAccruals } from './decide.ts';
import { gatherAccruals, readCustomerIds } from './gather.ts';

/** Customers whose rows are in memory at once. */
const BATCH_SIZE = 50;

/** One customer's rows. */
export interface CustomerAccruals {
  /** Empty: subjects of no customer. */
  customerId: string;
  rows: AccrualRow[];
}

export interface AccrualQuery {
  /** From when usage is earned to the instant of the report; whole hours. */
  window: TimeWindow;
  customerId: string | null;
  after: string | null;
}

/** Rows of these customers, those without any left out. @param customerIds the empty text: subjects of no customer */
export async function readAccrualsOf(
  snapshot: LedgerSnapshot,
  customerIds: readonly string[],
  window: TimeWindow,
): Promise<CustomerAccruals[]> {
  const material = await gatherAccruals(snapshot, customerIds, window);
  const byCustomer = Map.groupBy(decideAccruals(material, window), (row) => row.customerId);
  return customerIds.flatMap((id) => {
    const rows = byCustomer.get(id);
    return rows === undefined ? [] : [{ customerId: id, rows }];
  });
}

/** Rows of customers in their order, those without any left out: what was read together comes together. */
export async function* readAccruals(
  snapshot: LedgerSnapshot,
  { window, customerId, after }: AccrualQuery,
): AsyncGenerator<CustomerAccruals[]> {
  for (let last = after; ; ) {
    const customerIds =
      customerId === null ? await readCustomerIds(snapshot, last, BATCH_SIZE) : [customerId];
    yield await readAccrualsOf(snapshot, customerIds, window);
    last = customerIds.at(-1) ?? null;
    if (customerId !== null || customerIds.length < BATCH_SIZE) return;
  }
}
