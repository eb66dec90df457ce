import type { BillingAccount } from '../account.ts';
import { refuseParameter } from '../http/refusal.ts';
import { toSeconds, type WireCreditNote, type WireCreditNoteLine } from '../http/wire.ts';
import type { Invoice, StripeState } from '../state.ts';
import { emitInvoice, renderAt, settle } from './fate.ts';

export interface NewCreditNote {
  invoice: Invoice;
  /** Empty: a plain amount. */
  lines: {
    invoiceLineId: string | null;
    description: string | null;
    amount: number;
    quantity: number | null;
  }[];
  amount: number;
  /** Where what was paid already goes. */
  creditAmount: number;
  refundAmount: number;
  outOfBandAmount: number;
  reason: string | null;
  memo: string | null;
  metadata: Record<string, string>;
}

/**
 * Credits a final invoice: first what is still owed, the rest of what was paid.
 * @throws StripeRefusal beyond what is left of the invoice or of a line, or when the paid part goes nowhere
 */
export function issueCreditNote(account: BillingAccount, input: NewCreditNote, atMs: number): WireCreditNote {
  const { state, emit } = account;
  const { invoice, amount } = input;
  const { wire } = invoice;
  const rendered = renderAt(account, invoice, atMs);
  if (wire.status !== 'open' && wire.status !== 'paid') {
    throw refuseParameter(
      'invoice',
      `You can only credit open or paid invoices, this one is ${wire.status}.`,
    );
  }
  const before = notesOf(state, wire.id);
  const left = rendered.total - before.reduce((sum, note) => sum + note.amount, 0);
  if (amount <= 0 || amount > left) {
    throw refuseParameter(
      'amount',
      `The credit note must be above 0 and at most ${left}, what is left of the invoice.`,
    );
  }
  checkLines(state, input);
  const prePayment = Math.min(amount, rendered.amount_remaining);
  const postPayment = amount - prePayment;
  if (input.creditAmount + input.refundAmount + input.outOfBandAmount !== postPayment) {
    throw refuseParameter(
      'credit_amount',
      `The sum of credit amount, refund amount and out of band amount must be ${postPayment}, what was paid of it.`,
    );
  }
  const note = toCreditNote(state, input, {
    prePayment,
    postPayment,
    count: before.length,
    at: toSeconds(atMs),
  });
  state.creditNotes.set(note.id, note);
  wire.pre_payment_credit_notes_amount += prePayment;
  wire.post_payment_credit_notes_amount += postPayment;
  const customer = state.customers.get(invoice.customerId);
  if (customer !== undefined) customer.balance -= input.creditAmount;
  emit('credit_note.created', note, atMs);
  if (wire.status === 'open' && prePayment > 0 && prePayment === rendered.amount_remaining) {
    settle(account, invoice, atMs);
  } else emitInvoice(account, 'invoice.updated', invoice, atMs);
  return note;
}

function notesOf(state: StripeState, invoiceId: string): WireCreditNote[] {
  return [...state.creditNotes.values()].filter((note) => note.invoice === invoiceId);
}

function checkLines(state: StripeState, { invoice, lines }: NewCreditNote): void {
  const earlier = notesOf(state, invoice.wire.id).flatMap((note) => note.lines.data);
  for (const { invoiceLineId, amount } of lines) {
    if (invoiceLineId === null) continue;
    const line = invoice.frozenLines?.find((candidate) => candidate.id === invoiceLineId);
    if (line === undefined) {
      throw refuseParameter('lines', `No such invoice line: '${invoiceLineId}'`, 'resource_missing');
    }
    const credited = earlier
      .filter((known) => known.invoice_line_item === invoiceLineId)
      .reduce((sum, known) => sum + known.amount, 0);
    if (amount <= 0 || credited + amount > line.amount) {
      throw refuseParameter(
        'lines',
        `At most ${line.amount - credited} of ${invoiceLineId} can be credited.`,
      );
    }
  }
}

function toCreditNote(
  state: StripeState,
  input: NewCreditNote,
  made: { prePayment: number; postPayment: number; count: number; at: number },
): WireCreditNote {
  const { invoice, amount } = input;
  const id = state.nextId('cn');
  const lines = input.lines.map((line) => toLine(state, line));
  return {
    id,
    object: 'credit_note',
    amount,
    amount_shipping: 0,
    created: made.at,
    currency: invoice.wire.currency,
    customer: invoice.customerId,
    customer_account: null,
    customer_balance_transaction: null,
    discount_amount: 0,
    discount_amounts: [],
    effective_at: made.at,
    invoice: invoice.wire.id,
    lines: { object: 'list', data: lines, has_more: false, url: `/v1/credit_notes/${id}/lines` },
    livemode: false,
    memo: input.memo,
    metadata: input.metadata,
    number: `${invoice.wire.number ?? ''}-CN-${String(made.count + 1).padStart(2, '0')}`,
    out_of_band_amount: input.outOfBandAmount === 0 ? null : input.outOfBandAmount,
    pdf: `https://pay.stripe.com/credit_notes/acct_sandbox/test_${id}/pdf`,
    post_payment_amount: made.postPayment,
    pre_payment_amount: made.prePayment,
    pretax_credit_amounts: [],
    reason: input.reason,
    refunds: [],
    shipping_cost: null,
    status: 'issued',
    subtotal: amount,
    subtotal_excluding_tax: amount,
    total: amount,
    total_excluding_tax: amount,
    total_taxes: [],
    type: made.postPayment === 0 ? 'pre_payment' : made.prePayment === 0 ? 'post_payment' : 'mixed',
    voided_at: null,
  };
}

function toLine(state: StripeState, line: NewCreditNote['lines'][number]): WireCreditNoteLine {
  return {
    id: state.nextId('cnli'),
    object: 'credit_note_line_item',
    amount: line.amount,
    description: line.description,
    discount_amount: 0,
    discount_amounts: [],
    ...(line.invoiceLineId === null ? {} : { invoice_line_item: line.invoiceLineId }),
    livemode: false,
    metadata: {},
    pretax_credit_amounts: [],
    quantity: line.quantity,
    tax_rates: [],
    taxes: [],
    type: line.invoiceLineId === null ? 'custom_line_item' : 'invoice_line_item',
    unit_amount: null,
    unit_amount_decimal: null,
  };
}
