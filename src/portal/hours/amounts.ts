import { listStoredInvoices } from '../../billing/invoice-lines.ts';
import { addMs, DAY_MS } from '../../platform/clock.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import type { AskedPreviews } from '../../previews/gather.ts';
import { decideInvoiceStatement, decideStatementsSoFar, type Statement } from '../../statements/decide.ts';
import { readInvoiceMaterial, readStatementSoFar } from '../../statements/gather.ts';
import { divideHours } from '../../statements/hours.ts';
import type { PortalView } from '../frame/define-page.ts';

/** What the hours of a day come to, by when each begins. */
export interface DayAmounts {
  currency: string;
  /** Minor units; null: some of it has no price yet. */
  byHour: ReadonlyMap<number, bigint | null>;
}

/**
 * Of the running period, and of invoices whose lines are kept: nobody is asked for them here. Null where no statement has the day, or
 * statements of it are in several currencies, which make no sum.
 */
export async function gatherAmounts(
  snapshot: LedgerSnapshot,
  { reader: { customerId }, now }: PortalView,
  { asked, start }: { asked: AskedPreviews; start: Date },
): Promise<DayAmounts | null> {
  const day = start.toISOString().slice(0, 10);
  const found: { statement: Statement; isOpen: boolean }[] = decideStatementsSoFar(
    await readStatementSoFar(snapshot, customerId, { asked, now, history: false }),
  ).map((statement) => ({ statement, isOpen: true }));
  for (const { invoiceId, status, readAt, period } of await listStoredInvoices(snapshot, customerId)) {
    const isOfDay = period.start < addMs(start, DAY_MS) && period.end > start;
    if (!isOfDay || readAt === null || status === 'void' || status === 'deleted') continue;
    const material = await readInvoiceMaterial(snapshot, invoiceId, now);
    found.push({ statement: decideInvoiceStatement(material), isOpen: status === 'draft' });
  }
  const having = found.filter(({ statement }) => statement.days.some((one) => one.day === day));
  const [currency, ...others] = new Set(having.map(({ statement }) => statement.head.currency));
  if (currency === undefined || others.length > 0) return null;
  const byHour = new Map<number, bigint | null>();
  for (const { statement, isOpen } of having) {
    for (const [hour, amountMinor] of await divideHours(snapshot, statement, { day, isOpen })) {
      const sum = byHour.has(hour) ? (byHour.get(hour) ?? null) : 0n;
      byHour.set(hour, sum === null || amountMinor === null ? null : sum + amountMinor);
    }
  }
  return { currency, byHour };
}
