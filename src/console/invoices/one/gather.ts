import type { CloseComparison } from '../../../../pricing/closing/certificate.ts';
import { type CreditProposal, listCreditProposals } from '../../../billing/credits.ts';
import { type LateItem, readItemsThatMissed, readLateItems } from '../../../billing/late-items.ts';
import { findWaiting, type SecondPersonRequest } from '../../../billing/second-person/requests.ts';
import { type InvoiceChoice, readInvoiceChoice } from '../../../billing/uninvoiced/choices.ts';
import { listUninvoiced } from '../../../billing/uninvoiced/desk.ts';
import type { UninvoicedGroup } from '../../../billing/uninvoiced/groups.ts';
import { type CloseCertificate, findCertificate } from '../../../closing/certificates.ts';
import { type CloseStep, getClose } from '../../../closing/desk.ts';
import { type InvoiceRow, readInvoices } from '../../../closing/invoice-list.ts';
import type { LedgerDatabase } from '../../../platform/database/database.ts';
import type { LedgerSnapshot } from '../../../platform/database/snapshot.ts';
import { TallystickError } from '../../../platform/errors.ts';
import type { ConsoleView } from '../../frame/define-page.ts';

const ALL = 10_000;

export interface InvoiceMaterial {
  row: InvoiceRow;
  steps: CloseStep[];
  /** What was held against each other last; null: nothing was yet. */
  comparison: CloseComparison | null;
  certificate: CloseCertificate | null;
  choice: InvoiceChoice | null;
  credits: CreditProposal[];
  /** Late usage of earlier periods on it, and of its own on later ones. */
  late: LateItem[];
  missed: LateItem[];
  uninvoiced: UninvoicedGroup[];
  /** An act on it that waits for a second person. */
  waiting: SecondPersonRequest | undefined;
}

export async function gatherInvoice(snapshot: LedgerSnapshot, view: ConsoleView): Promise<InvoiceMaterial> {
  const row = await getInvoice(snapshot, view.params.invoiceId ?? '');
  const { invoiceId } = row;
  const close = row.closeState === null ? null : await getClose(snapshot, invoiceId);
  return {
    row,
    steps: close?.steps ?? [],
    comparison: close?.comparison ?? null,
    certificate: await findCertificate(snapshot, invoiceId),
    choice: await readInvoiceChoice(snapshot, invoiceId),
    credits: await listCreditProposals(snapshot, { invoiceId, afterId: 0n, limit: ALL }),
    late: await readLateItems(snapshot, [invoiceId]),
    missed: await readItemsThatMissed(snapshot, invoiceId),
    uninvoiced: await listUninvoiced(snapshot, { invoiceId }, { afterId: 0n, limit: ALL }),
    waiting: await findWaiting(snapshot, invoiceId, view.now),
  };
}

/** @throws TallystickError NOT_FOUND */
export async function getInvoice(database: LedgerDatabase, invoiceId: string): Promise<InvoiceRow> {
  const [row] = await readInvoices(database, { invoiceId });
  if (row !== undefined) return row;
  throw new TallystickError(`There is no invoice ${JSON.stringify(invoiceId.slice(0, 100))}.`, {
    code: 'NOT_FOUND',
    retry: false,
  });
}
