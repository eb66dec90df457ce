import type { LedgerSnapshot } from '../platform/database/snapshot.ts';
import { type AccrualQuery, readAccruals } from './report.ts';
import type { AccrualRowBody } from './schemas.ts';
import { showAccrualRow } from './show.ts';

/** The next rows as the API shows them, whole customers at a time: a batch may be larger than was asked for. */
export async function readShownRows(
  snapshot: LedgerSnapshot,
  query: AccrualQuery,
  after: AccrualRowBody | null,
  most: number,
): Promise<AccrualRowBody[]> {
  if (after !== null && query.customerId !== null) return [];
  const next = after === null ? query.after : (after.customerId ?? '');
  const rows: AccrualRowBody[] = [];
  for await (const customers of readAccruals(snapshot, { ...query, after: next })) {
    rows.push(...customers.flatMap((customer) => customer.rows.map(showAccrualRow)));
    if (rows.length >= most) break;
  }
  return rows;
}
