import {
  isFinalStatus,
  readInvoiceLines,
  readStoredInvoice,
  type StoredInvoice,
  type StoredInvoiceLine,
  storeInvoiceLines,
} from '../billing/invoice-lines.ts';
import { addMs } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { TallystickError, toTallystickError } from '../platform/errors.ts';
import { USUAL_PATIENCE } from '../previews/dependencies.ts';
import { isWithin, keepAnswer, takePreviewReads } from '../previews/stripe-previews.ts';
import type { StatementDependencies } from './dependencies.ts';

/** A draft that was read so long ago is read again, if Stripe answers. */
const DRAFT_FRESH_MS = 60_000;
/** An invoice has ten lines with it; further ones cost a read a page. */
const READS_OF_AN_INVOICE = 2;

/**
 * Reads an invoice from Stripe where the ledger has no lines of it, or old ones. Those of a final invoice are read once,
 * by the close as a rule; a draft's anew when they are old and Stripe answers. Comes before the snapshot that shows them.
 * @throws TallystickError NOT_FOUND; UpstreamError when no reading is kept and none is to be had
 */
export async function refreshStatedInvoice(
  dependencies: StatementDependencies,
  invoiceId: string,
): Promise<{ customerId: string }> {
  const { database, clock } = dependencies;
  const invoice = await readStoredInvoice(database, invoiceId);
  if (invoice === null) throw noInvoice(invoiceId);
  const freshMs = dependencies.stripePatience?.maxAgeMs ?? DRAFT_FRESH_MS;
  if (needsReading(invoice, clock.now(), freshMs)) await readFromStripe(dependencies, invoice);
  return { customerId: invoice.customerId };
}

/**
 * An invoice with its lines, as the ledger has them.
 * @throws TallystickError NOT_FOUND
 */
export async function readStatedInvoice(
  database: LedgerDatabase,
  invoiceId: string,
): Promise<{ invoice: StoredInvoice; lines: StoredInvoiceLine[] }> {
  const invoice = await readStoredInvoice(database, invoiceId);
  if (invoice === null) throw noInvoice(invoiceId);
  return { invoice, lines: await readInvoiceLines(database, invoiceId) };
}

/** A draft that became final with the very total that was read has the lines that were read. */
function needsReading(invoice: StoredInvoice, now: Date, freshMs: number): boolean {
  const { readAt, readStatus, readTotalMinor, status, totalMinor } = invoice;
  if (readAt === null || readStatus === null) return true;
  if (isFinalStatus(readStatus)) return false;
  if (isFinalStatus(status)) return totalMinor !== readTotalMinor;
  return addMs(readAt, freshMs) <= now;
}

/** A failure matters only when nothing is kept: an older reading says when it is of. */
async function readFromStripe(dependencies: StatementDependencies, invoice: StoredInvoice): Promise<void> {
  const { invoiceId, customerId } = invoice;
  const { database, clock, invoicing, log, previewCache, stripePatience = USUAL_PATIENCE } = dependencies;
  const now = clock.now();
  const failure = previewCache.get(invoiceId)?.failure;
  if (failure !== undefined && isWithin(now, failure.at, stripePatience.retryAfterMs)) {
    if (invoice.readAt === null) throw unavailable('Stripe did not answer a moment ago.');
    return;
  }
  try {
    if (invoicing === undefined) throw unavailable('Stripe is not configured here.');
    const reads = { now, readCount: READS_OF_AN_INVOICE };
    if (!(await takePreviewReads(dependencies, customerId, reads)))
      throw unavailable('The reads of Stripe for today are used up.');
    const reading = await invoicing.readInvoice(invoiceId, AbortSignal.timeout(stripePatience.waitMs));
    if (reading === null) throw noInvoice(invoiceId);
    await database.transaction().execute((transaction) => storeInvoiceLines(transaction, [reading], now));
  } catch (error) {
    const known = toTallystickError(error);
    keepAnswer(previewCache, invoiceId, { failure: { at: now, reason: known.code } });
    if (invoice.readAt === null || known.code === 'NOT_FOUND') throw known;
    log?.warn({ err: error, invoiceId }, 'Stripe did not show an invoice; an older reading serves');
  }
}

function noInvoice(invoiceId: string): TallystickError {
  return new TallystickError(`No invoice has the id ${JSON.stringify(invoiceId)}.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: 'Take the id from Stripe (in_...), or wait for the next synchronization.',
  });
}

function unavailable(message: string): TallystickError {
  return new TallystickError(`The lines of this invoice are not in the ledger yet. ${message}`, {
    code: 'UPSTREAM_UNAVAILABLE',
    retry: true,
    fix: 'Ask again after the invoice was closed, or tomorrow.',
  });
}
