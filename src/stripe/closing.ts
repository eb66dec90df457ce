import type { ClosingClient } from './closing-calls.ts';
import { createCreditNote } from './closing-credit-notes.ts';
import { annotateInvoice, claimInvoice, finalizeInvoice } from './closing-drafts.ts';
import { readInvoice } from './closing-invoice.ts';
import { createInvoiceItem, listInvoiceItems } from './closing-items.ts';
import type { InvoiceSystem } from './closing-port.ts';
import { listEvents } from './list-events.ts';

/** The port over Stripe's own SDK. */
export function createInvoiceSystem(client: ClosingClient): InvoiceSystem {
  return {
    readInvoice: (invoiceId, signal) => readInvoice(client, invoiceId, signal),
    claimInvoice: (invoiceId, claim, signal) => claimInvoice(client, invoiceId, claim, signal),
    annotateInvoice: (invoiceId, annotation, signal) =>
      annotateInvoice(client, invoiceId, annotation, signal),
    finalizeInvoice: (invoiceId, options, signal) => finalizeInvoice(client, invoiceId, options, signal),
    createInvoiceItem: (item, signal) => createInvoiceItem(client, item, signal),
    listInvoiceItems: (stripeCustomerId, signal) => listInvoiceItems(client, stripeCustomerId, signal),
    createCreditNote: (note, signal) => createCreditNote(client, note, signal),
    listEvents: (query, signal) => listEvents(client, query, signal),
  };
}
