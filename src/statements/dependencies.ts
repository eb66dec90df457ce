import type { PreviewDependencies } from '../previews/dependencies.ts';
import type { InvoiceSystem } from '../stripe/closing/port.ts';

/** What statements need beside what previews do. */
export interface StatementDependencies extends PreviewDependencies {
  /** Reads invoices whose lines the ledger does not have yet; absent: they are not to be had. */
  invoicing?: Pick<InvoiceSystem, 'readInvoice'>;
}
