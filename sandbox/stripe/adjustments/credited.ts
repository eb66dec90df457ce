import { refuseParameter } from '../http/refusal.ts';
import type { WireCreditNoteLine, WireInvoiceLine } from '../http/wire.ts';
import type { Invoice, StripeState } from '../state.ts';
import { PERCENT_SCALE, parsePercent, roundHalfAway } from './round-to-total.ts';
import { sum } from './wire-lines.ts';

/** What is asked to be credited of a line, or beside the lines. */
export type AskedCredit =
  | { invoiceLineId: string; amount: number | null; quantity: number | null }
  | { description: string | null; amount: number; quantity: number; unitAmountDecimal: string };

/**
 * What crediting lines comes to. Of a line its discounts, billing credits and taxes go back in proportion, to the cent
 * all of them once the whole line is credited ("applying a 50% discount … a credit note for one line item reduces the
 * invoice amount by 5 USD": docs.stripe.com/invoicing/dashboard/credit-notes). With automatic tax an asked amount is
 * without inclusive tax (`CreditNoteCreateParams.Line.amount` of the API); the line tells its gross amount.
 * @param earlier lines of the notes that there are
 * @throws StripeRefusal beyond what is left of a line
 */
export function creditLines(
  state: StripeState,
  invoice: Invoice,
  asked: readonly AskedCredit[],
  earlier: readonly WireCreditNoteLine[],
): Omit<WireCreditNoteLine, 'id'>[] {
  const done = [...earlier];
  return asked.map((credit) => {
    const line = 'invoiceLineId' in credit ? creditLine(state, invoice, credit, done) : customLine(credit);
    done.push({ ...line, id: '' });
    return line;
  });
}

/** What a line of a note takes off the invoice, exclusive tax included. */
export function creditedTotal({
  amount,
  pretax_credit_amounts,
  taxes,
}: Omit<WireCreditNoteLine, 'id'>): number {
  const exclusive = (taxes ?? []).filter((tax) => tax.tax_behavior === 'exclusive');
  return amount - sum(pretax_credit_amounts, (entry) => entry.amount) + sum(exclusive, (tax) => tax.amount);
}

function creditLine(
  state: StripeState,
  { frozenLines, wire }: Invoice,
  asked: Extract<AskedCredit, { invoiceLineId: string }>,
  earlier: readonly WireCreditNoteLine[],
): Omit<WireCreditNoteLine, 'id'> {
  const { invoiceLineId } = asked;
  const line = frozenLines?.find((candidate) => candidate.id === invoiceLineId);
  if (line === undefined) {
    throw refuseParameter('lines', `No such invoice line: '${invoiceLineId}'`, 'resource_missing');
  }
  const before = sum(
    earlier.filter((known) => known.invoice_line_item === invoiceLineId),
    (known) => known.amount,
  );
  const left = line.amount - before;
  const amount = grossAmount(state, line, asked, wire.automatic_tax.enabled);
  // An amount without its tax may come to a cent more than the line is.
  const credited = amount - left === 1 && wire.automatic_tax.enabled ? left : amount;
  if (credited <= 0 || credited > left) {
    throw refuseParameter('lines', `At most ${left} of ${invoiceLineId} can be credited.`);
  }
  const share = (whole: number) => shareOf(whole, before, credited, line.amount);
  const discounts = (line.discount_amounts ?? []).map((entry) => ({ ...entry, amount: share(entry.amount) }));
  return {
    object: 'credit_note_line_item',
    amount: credited,
    description: line.description,
    discount_amount: sum(discounts, (entry) => entry.amount),
    discount_amounts: discounts,
    invoice_line_item: invoiceLineId,
    livemode: false,
    metadata: {},
    pretax_credit_amounts: (line.pretax_credit_amounts ?? []).map(
      ({ credit_balance_transaction, amount: whole, ...entry }) => ({
        ...entry,
        amount: share(whole),
        ...(credit_balance_transaction == null ? {} : { credit_balance_transaction }),
      }),
    ),
    quantity: asked.quantity,
    tax_rates: [],
    taxes: (line.taxes ?? []).map((tax) => ({
      ...tax,
      amount: share(tax.amount),
      taxable_amount: share(tax.taxable_amount ?? 0),
    })),
    type: 'invoice_line_item',
    unit_amount: null,
    unit_amount_decimal: null,
  };
}

/** Shares of one whole that are taken one after the other add up to it. */
function shareOf(whole: number, before: number, now: number, of: number): number {
  const until = (part: number) => roundHalfAway(BigInt(whole) * BigInt(part), BigInt(of));
  return Number(until(before + now) - until(before));
}

function grossAmount(
  state: StripeState,
  line: WireInvoiceLine,
  asked: Extract<AskedCredit, { invoiceLineId: string }>,
  isAutomatic: boolean,
): number {
  if (asked.amount === null) {
    const of = BigInt(line.quantity ?? 1) || 1n;
    return Number(roundHalfAway(BigInt(line.amount) * BigInt(asked.quantity ?? 0), of));
  }
  if (!isAutomatic) return asked.amount;
  const included = (line.taxes ?? []).reduce((percent, tax) => {
    if (tax.tax_behavior !== 'inclusive') return percent;
    const rate = state.taxRates.get(tax.tax_rate_details?.tax_rate ?? '');
    return percent + parsePercent(rate?.percentage ?? 0);
  }, 0n);
  return Number(roundHalfAway(BigInt(asked.amount) * (PERCENT_SCALE + included), PERCENT_SCALE));
}

function customLine(credit: Exclude<AskedCredit, { invoiceLineId: string }>): Omit<WireCreditNoteLine, 'id'> {
  return {
    object: 'credit_note_line_item',
    amount: credit.amount,
    description: credit.description,
    discount_amount: 0,
    discount_amounts: [],
    livemode: false,
    metadata: {},
    pretax_credit_amounts: [],
    quantity: credit.quantity,
    tax_rates: [],
    taxes: [],
    type: 'custom_line_item',
    unit_amount: null,
    unit_amount_decimal: credit.unitAmountDecimal,
  };
}
