import type Stripe from 'stripe';
import { chargeStep } from '../../../pricing/money.ts';
import type { CreditBeyond, NewCreditNote } from './port.ts';

/** What is taken off one line, or off the whole invoice. */
export interface CreditPart {
  lineId: string | null;
  /** At the line's price: before discounts and billing credits, with inclusive tax and without exclusive tax. */
  amountMinor: bigint;
  /**
   * What is asked for first: where Stripe Tax is in the price, an amount is without it ("if invoice is set up with
   * automatic_tax[enabled]=true, this amount is tax exclusive"). The preview tells whether that was right.
   */
  firstAskedMinor: bigint;
}

interface CreditMaterial {
  note: NewCreditNote;
  invoice: Stripe.Invoice;
  lines: readonly Stripe.InvoiceLineItem[];
  /** Of the invoice, ours or not. */
  notes: readonly Stripe.CreditNote[];
}

/** Divides a credit among its lines, the first the first; or says what is left where that is less. */
export function planCredit({
  note,
  invoice,
  lines,
  notes,
}: CreditMaterial): { parts: CreditPart[] } | CreditBeyond {
  const { amountMinor, lineIds = [] } = note;
  const credited = notes.filter(({ status }) => status !== 'void');
  const leftOfInvoice =
    BigInt(invoice.total) - credited.reduce((sum, known) => sum + BigInt(known.total), 0n);
  // Drafts and void invoices are Stripe's to refuse.
  if (invoice.status !== 'open' && invoice.status !== 'paid') {
    return { parts: [{ lineId: null, amountMinor, firstAskedMinor: amountMinor }] };
  }
  const named = lineIds.flatMap((id) => lines.find((line) => line.id === id) ?? []);
  if (named.length === 0) {
    if (amountMinor > leftOfInvoice) return beyond(invoice, leftOfInvoice, 'credited_before');
    return { parts: [{ lineId: null, amountMinor, firstAskedMinor: amountMinor }] };
  }
  const parts: (CreditPart & { totalMinor: bigint })[] = [];
  let wanted = amountMinor;
  for (const line of named) {
    const amount = BigInt(line.amount);
    const left = amount - creditedOf(line.id, credited);
    const taken = left < wanted ? left : wanted;
    if (taken <= 0n) continue;
    wanted -= taken;
    const { exclusive, inclusive, pretax } = sumsOf(line);
    const net = amount - pretax;
    parts.push({
      lineId: line.id,
      amountMinor: taken,
      firstAskedMinor:
        invoice.automatic_tax.enabled && net > 0n ? (taken * (net - inclusive) + net / 2n) / net : taken,
      totalMinor: (taken * (net + exclusive)) / amount,
    });
  }
  const total = parts.reduce((sum, part) => sum + part.totalMinor, 0n);
  // Each line's share is rounded by itself: so many cents are no lack.
  const room = leftOfInvoice + BigInt(parts.length);
  const fits = amountMinor - wanted;
  if (total === 0n) return beyond(invoice, 0n, fits === 0n ? 'credited_before' : 'not_charged');
  if (total > room) return beyond(invoice, (fits * leftOfInvoice) / total, 'credited_before');
  return wanted > 0n ? beyond(invoice, fits, 'credited_before') : { parts };
}

function beyond({ currency }: Stripe.Invoice, left: bigint, reason: CreditBeyond['reason']): CreditBeyond {
  const step = chargeStep(currency);
  return { creditableMinor: left > 0n ? (left / step) * step : 0n, reason };
}

function creditedOf(lineId: string, notes: readonly Stripe.CreditNote[]): bigint {
  return notes
    .flatMap((known) => known.lines.data)
    .reduce((sum, line) => sum + (line.invoice_line_item === lineId ? BigInt(line.amount) : 0n), 0n);
}

function sumsOf({ taxes, pretax_credit_amounts }: Stripe.InvoiceLineItem) {
  const taxOf = (behavior: string) =>
    (taxes ?? []).reduce((sum, tax) => sum + (tax.tax_behavior === behavior ? BigInt(tax.amount) : 0n), 0n);
  return {
    exclusive: taxOf('exclusive'),
    inclusive: taxOf('inclusive'),
    pretax: (pretax_credit_amounts ?? []).reduce((sum, entry) => sum + BigInt(entry.amount), 0n),
  };
}
