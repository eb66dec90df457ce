import { sql } from 'kysely';
import type { AccrualRow } from '../../pricing/accruals/row.ts';
import { readAccruals } from '../../src/accruals/report.ts';
import { HOUR_MS, type TimeWindow } from '../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { type LedgerSnapshot, readSnapshot } from '../../src/platform/database/snapshot.ts';
import { countedTokens, IS_COUNTED_ITEM } from '../../src/usage/columns.ts';

/**
 * What a report of accruals says otherwise than the ledger: tokens by customer against its source items, amounts on invoices
 * against their lines, and what two halves of the time earned against the whole. Empty: nothing.
 */
export async function findAccrualFaults(database: LedgerDatabase): Promise<string[]> {
  return await readSnapshot(database, async (snapshot) => {
    const reach = await sql<{ first: Date | null; last: Date | null }>`
      select min(event_time) as first, max(event_time) as last from source_items where event_time is not null`.execute(
      snapshot,
    );
    const { first, last } = reach.rows[0] ?? {};
    if (!first || !last) return [];
    const hour = (instant: Date) => Math.floor(instant.getTime() / HOUR_MS) * HOUR_MS;
    const start = new Date(hour(first));
    const end = new Date(hour(last) + HOUR_MS);
    const middle = new Date(hour(new Date((start.getTime() + end.getTime()) / 2)));
    const whole = await readRows(snapshot, { start, end });
    const faults = [
      ...(await checkTokens(snapshot, whole, { start, end })),
      ...(await checkInvoices(snapshot, whole, end)),
    ];
    if (middle <= start) return faults;
    const early = await readRows(snapshot, { start, end: middle });
    const late = await readRows(snapshot, { start: middle, end });
    faults.push(
      ...(await checkTokens(snapshot, early, { start, end: middle })),
      ...(await checkTokens(snapshot, late, { start: middle, end })),
    );
    const earned = earnedBy(whole);
    const halves = earnedBy([...early, ...late]);
    for (const key of new Set([...earned.keys(), ...halves.keys()])) {
      if ((earned.get(key) ?? 0n) === (halves.get(key) ?? 0n)) continue;
      faults.push(`${key} earned ${earned.get(key) ?? 0n}, in two halves ${halves.get(key) ?? 0n}`);
    }
    return faults;
  });
}

async function readRows(snapshot: LedgerSnapshot, window: TimeWindow): Promise<AccrualRow[]> {
  const rows: AccrualRow[] = [];
  for await (const customers of readAccruals(snapshot, { window, customerId: null, after: null })) {
    rows.push(...customers.flatMap((customer) => customer.rows));
  }
  return rows;
}

/** Each item once, whatever became of it, with whose usage it was billed as: its subject may be another's by now. */
async function checkTokens(
  snapshot: LedgerSnapshot,
  rows: readonly AccrualRow[],
  { start, end }: TimeWindow,
) {
  const known = await sql<{ customerId: string; tokenCount: bigint }>`
    select coalesce(billed.customer_id, s.customer_id, '') as "customerId", sum(i.token_count)::bigint as "tokenCount"
    from (
      select subject, date_trunc('hour', event_time, 'UTC') as window_start, token_count from source_items
      where ${IS_COUNTED_ITEM} and event_time >= ${start} and event_time < ${end}
      union all
      select subject, window_start, ${countedTokens()} from dropped_item_sums
      where window_start >= ${start} and window_start < ${end}) i
    left join (
      select subject, window_start, min(customer_id) as customer_id from hourly_usage
      where window_start >= ${start} and window_start < ${end} group by 1, 2) billed
      on billed.subject = i.subject and billed.window_start = i.window_start
    left join subjects s on s.subject = i.subject group by 1`.execute(snapshot);
  const told = new Map<string, bigint>();
  for (const row of rows) told.set(row.customerId, (told.get(row.customerId) ?? 0n) + row.earnedTokenCount);
  const used = new Map(known.rows.map((row) => [row.customerId, row.tokenCount]));
  return [...new Set([...told.keys(), ...used.keys()])].flatMap((id) =>
    (told.get(id) ?? 0n) === (used.get(id) ?? 0n)
      ? []
      : [
          `${id} used ${used.get(id) ?? 0n} tokens from ${start.toISOString()} to ${end.toISOString()}, told are ${told.get(id) ?? 0n}`,
        ],
  );
}

/** Every line is told, and nothing beside. */
async function checkInvoices(
  snapshot: LedgerSnapshot,
  rows: readonly AccrualRow[],
  at: Date,
): Promise<string[]> {
  const told = new Map<string, bigint>();
  for (const { place, kind, invoice, amountMinor } of rows) {
    if (place !== 'invoiced' || kind === 'credit' || invoice === null) continue;
    told.set(invoice.invoiceId, (told.get(invoice.invoiceId) ?? 0n) + (amountMinor ?? 0n));
  }
  const lines = await sql<{ invoiceId: string; amountMinor: bigint }>`
    select l.invoice_id as "invoiceId", sum(l.amount_minor)::bigint as "amountMinor" from invoice_lines l
    where l.invoice_id = any(${[...told.keys()]}::text[]) group by 1`.execute(snapshot);
  const charged = new Map(lines.rows.map((row) => [row.invoiceId, row.amountMinor]));
  return [...told].flatMap(([id, amount]) =>
    charged.get(id) === amount
      ? []
      : [`invoice ${id} charges ${charged.get(id)}, told are ${amount} at ${at.toISOString()}`],
  );
}

function earnedBy(rows: readonly AccrualRow[]): Map<string, bigint> {
  const earned = new Map<string, bigint>();
  for (const { customerId, currency, earnedAmountMinor } of rows) {
    const key = `${customerId} ${currency}`;
    earned.set(key, (earned.get(key) ?? 0n) + (earnedAmountMinor ?? 0n));
  }
  return earned;
}
