import { sql } from 'kysely';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** An invoice that says for good what is owed. */
export interface FinalInvoice {
  invoiceId: string;
  customerId: string;
  /** Whether the ledger has its final lines: the close reads them, and so does whoever looks at its statement. */
  isRead: boolean;
  /** What credit notes have taken back of it. */
  creditedMinor: bigint;
}

/** The final invoices, voided ones left out, that have something to bill in the window; by period, then id. */
export async function readFinalInvoices(
  database: LedgerDatabase,
  { window, customerId = null }: { window: TimeWindow; customerId?: string | null },
): Promise<FinalInvoice[]> {
  const { start, end } = window;
  const result = await sql<FinalInvoice>`
    select i.invoice_id as "invoiceId", i.customer_id as "customerId",
      coalesce(reading.status <> 'draft' and reading.total_minor = i.total_minor, false) as "isRead",
      i.credited_minor as "creditedMinor"
    from invoices i left join invoice_readings reading using (invoice_id)
    where i.status not in ('draft', 'void', 'deleted')
      and (${customerId}::text is null or i.customer_id = ${customerId})
      and ((i.period_start < ${end} and i.period_end > ${start}) or exists (
        select from invoice_lines line where line.invoice_id = i.invoice_id
          and line.period_start < ${end} and line.period_end > ${start}))
    order by i.period_start, i.invoice_id collate "C"`.execute(database);
  return result.rows;
}
