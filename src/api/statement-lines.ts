import { minorUnitDigits, parseDecimal } from '../../pricing/money.ts';
import { addMs } from '../clock.ts';
import { TallystickError, toTallystickError } from '../errors.ts';
import {
  isFinalStatus,
  readInvoiceLines,
  readStoredInvoice,
  type StoredInvoice,
  type StoredInvoiceLine,
  storeInvoiceLines,
} from '../ledger/invoice-lines.ts';
import type { ActiveItem } from '../ledger/preview-items.ts';
import { takeStripeRead } from '../ledger/stripe-reads.ts';
import { type ApiDependencies, DEFAULT_API_SETTINGS } from './dependencies.ts';
import type { SubscriptionPreviewBody } from './invoice-preview-schemas.ts';

/** A draft that was read so long ago is read again, if Stripe answers. */
const DRAFT_FRESH_MS = 60_000;
const DEADLINE_MS = 10_000;
/** An invoice has ten lines with it; further ones cost a read a page. */
const READS_OF_AN_INVOICE = 2;

/** A line as a statement divides it; `amountMinor` null: no price is known yet. */
export interface StatementLine extends Omit<StoredInvoiceLine, 'amountMinor'> {
  amountMinor: bigint | null;
}

/**
 * An invoice with its lines. Those of a final invoice are read from Stripe once, by the close as a rule; a draft's anew
 * when they are old and Stripe answers.
 * @throws TallystickError NOT_FOUND; UpstreamError when no reading is kept and none is to be had
 */
export async function readStatedInvoice(
  dependencies: ApiDependencies,
  invoiceId: string,
): Promise<{ invoice: StoredInvoice; lines: StoredInvoiceLine[] }> {
  const { database, clock } = dependencies;
  let invoice = await readStoredInvoice(database, invoiceId);
  if (invoice === null) throw noInvoice(invoiceId);
  if (needsReading(invoice, clock.now())) {
    await readFromStripe(dependencies, invoice);
    invoice = (await readStoredInvoice(database, invoiceId)) ?? invoice;
  }
  return { invoice, lines: await readInvoiceLines(database, invoiceId) };
}

/** A draft that became final with the very total that was read has the lines that were read. */
function needsReading(invoice: StoredInvoice, now: Date): boolean {
  const { readAt, readStatus, readTotalMinor, status, totalMinor } = invoice;
  if (readAt === null || readStatus === null) return true;
  if (isFinalStatus(readStatus)) return false;
  if (isFinalStatus(status)) return totalMinor !== readTotalMinor;
  return addMs(readAt, DRAFT_FRESH_MS) <= now;
}

/** A failure matters only when nothing is kept: an older reading says when it is of. */
async function readFromStripe(dependencies: ApiDependencies, invoice: StoredInvoice): Promise<void> {
  const { invoiceId } = invoice;
  const { database, clock, invoicing, log } = dependencies;
  const now = clock.now();
  try {
    if (invoicing === undefined) throw unavailable('Stripe is not configured here.');
    const { stripePreviewReadsPerDay } = dependencies.settings ?? DEFAULT_API_SETTINGS;
    const isAllowed = await takeStripeRead(database, {
      purpose: 'preview',
      now,
      limitPerDay: stripePreviewReadsPerDay,
      readCount: READS_OF_AN_INVOICE,
    });
    if (!isAllowed) throw unavailable('The reads of Stripe for today are used up.');
    const reading = await invoicing.readInvoice(invoiceId, AbortSignal.timeout(DEADLINE_MS));
    if (reading === null) throw noInvoice(invoiceId);
    await database.transaction().execute((transaction) => storeInvoiceLines(transaction, [reading], now));
  } catch (error) {
    const known = toTallystickError(error);
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

/** The lines that a preview says the next invoice will have: of a tiered price one for each tier. */
export function linesOfPreview(
  preview: SubscriptionPreviewBody,
  items: readonly ActiveItem[],
): StatementLine[] {
  const meterByItem = new Map(items.map((item) => [item.subscriptionItemId, item.stripeMeterId]));
  const period = { start: new Date(preview.periodStart), end: new Date(preview.periodEnd) };
  const toMinor = (amount: string | null) =>
    amount === null ? null : parseDecimal(amount, minorUnitDigits(preview.currency));
  return preview.lines.flatMap((line, position) => {
    const itemId = line.subscriptionItemId;
    const common = {
      lineId: `preview-${position + 1}`,
      description: line.description,
      subscriptionItemId: itemId,
      priceId: line.priceId,
      stripeMeterId: itemId === null ? null : (meterByItem.get(itemId) ?? null),
      period,
      invoiceItemId: null,
      metadata: {},
    };
    if (line.tiers.length === 0) {
      const quantity = line.quantity === null ? null : BigInt(line.quantity);
      const { unitAmountDecimal } = line;
      return [{ ...common, quantity, unitAmountDecimal, amountMinor: toMinor(line.amount) }];
    }
    return line.tiers.map((tier, index) => ({
      ...common,
      lineId: line.tiers.length === 1 ? common.lineId : `${common.lineId}.${index + 1}`,
      quantity: BigInt(tier.quantity),
      unitAmountDecimal: tier.unitAmountDecimal,
      amountMinor: toMinor(tier.amount),
    }));
  });
}
