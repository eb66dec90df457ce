import { listEvents } from '../list-events.ts';
import type { ClosingClient } from './calls.ts';
import { createCreditNote } from './credit-notes.ts';
import { annotateInvoice, claimInvoice, finalizeInvoice } from './drafts.ts';
import { readInvoice } from './invoice.ts';
import { changeInvoiceItem, createInvoiceItem, listInvoiceItems } from './items.ts';
import type { InvoiceSystem } from './port.ts';
import { readBillingThreshold, setBillingThreshold } from './thresholds.ts';

/** The port over Stripe's own SDK. */
export function createInvoiceSystem(client: ClosingClient): InvoiceSystem {
  return {
    readInvoice: (invoiceId, signal) => readInvoice(client, invoiceId, signal),
    claimInvoice: (invoiceId, claim, signal) => claimInvoice(client, invoiceId, claim, signal),
    annotateInvoice: (invoiceId, annotation, signal) =>
      annotateInvoice(client, invoiceId, annotation, signal),
    finalizeInvoice: (invoiceId, options, signal) => finalizeInvoice(client, invoiceId, options, signal),
    createInvoiceItem: (item, signal) => createInvoiceItem(client, item, signal),
    changeInvoiceItem: (invoiceItemId, change, signal) =>
      changeInvoiceItem(client, invoiceItemId, change, signal),
    listInvoiceItems: (stripeCustomerId, signal) => listInvoiceItems(client, stripeCustomerId, signal),
    createCreditNote: (note, signal) => createCreditNote(client, note, signal),
    readBillingThreshold: (subscriptionId, signal) => readBillingThreshold(client, subscriptionId, signal),
    setBillingThreshold: (subscriptionId, threshold, signal) =>
      setBillingThreshold(client, subscriptionId, threshold, signal),
    listEvents: (query, signal) => listEvents(client, query, signal),
  };
}
