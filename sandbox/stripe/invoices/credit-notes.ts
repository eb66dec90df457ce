import type { BillingAccount } from '../account.ts';
import { moveBalance } from '../adjustments/balance.ts';
import { type AskedCredit, creditedTotal, creditLines } from '../adjustments/credited.ts';
import { sum } from '../adjustments/wire-lines.ts';
import { refuseParameter } from '../http/refusal.ts';
import { toSeconds, type WireCreditNote, type WireCreditNoteLine } from '../http/wire.ts';
import type { Invoice, StripeState } from '../state.ts';
import { emitInvoice, renderAt, settle } from './fate.ts';

export interface NewCreditNote {
  invoice: Invoice;
  /** Empty: a plain amount. */
  lines: readonly AskedCredit[];
  /** Of the whole note, tax included; null: what the lines come to. */
  amount: number | null;
  /** Where what was paid already goes. */
  creditAmount: number;
  refundAmount: number;
  outOfBandAmount: number;
  reason: string | null;
  memo: string | null;
  metadata: Record<string, string>;
}

const PREVIEW_ID = 'cn_preview';

/**
 * Credits a final invoice: first what is still owed, the rest of what was paid.
 * @throws StripeRefusal beyond what is left of the invoice or of a line, when amount and lines do not add up, or when the
 *   paid part goes nowhere
 */
export function issueCreditNote(account: BillingAccount, input: NewCreditNote, atMs: number): WireCreditNote {
  const { state, emit } = account;
  const { invoice } = input;
  const { wire } = invoice;
  const preview = previewCreditNote(account, input, atMs);
  const { pre_payment_amount, post_payment_amount } = preview;
  if (input.creditAmount + input.refundAmount + input.outOfBandAmount !== post_payment_amount) {
    throw refuseParameter(
      'credit_amount',
      `The sum of credit amount, refund amount and out of band amount must be ${post_payment_amount}, what was paid of it.`,
    );
  }
  const rendered = renderAt(account, invoice, atMs);
  const refunded = sum(notesOf(state, wire.id), (note) =>
    sum(note.refunds, (refund) => refund.amount_refunded),
  );
  if (input.refundAmount > rendered.amount_paid - refunded) {
    throw refuseParameter('refund_amount', `At most ${rendered.amount_paid - refunded} can be refunded.`);
  }
  const id = state.nextId('cn');
  const note: WireCreditNote = {
    ...preview,
    id,
    pdf: `https://pay.stripe.com/credit_notes/acct_sandbox/test_${id}/pdf`,
    lines: {
      ...preview.lines,
      data: preview.lines.data.map((line) => ({ ...line, id: state.nextId('cnli') })),
      url: `/v1/credit_notes/${id}/lines`,
    },
    refunds: input.refundAmount === 0 ? [] : [refundOf(state.nextId('re'), input.refundAmount)],
  };
  state.creditNotes.set(note.id, note);
  wire.pre_payment_credit_notes_amount += pre_payment_amount;
  wire.post_payment_credit_notes_amount += post_payment_amount;
  const customer = state.customers.get(invoice.customerId);
  if (customer !== undefined) {
    const moved = moveBalance(state, customer, {
      amount: -input.creditAmount,
      type: 'credit_note',
      creditNoteId: id,
      invoiceId: wire.id,
      currency: wire.currency,
      at: toSeconds(atMs),
    });
    note.customer_balance_transaction = moved?.id ?? null;
  }
  emit('credit_note.created', note, atMs);
  if (wire.status === 'open' && pre_payment_amount > 0 && pre_payment_amount === rendered.amount_remaining) {
    settle(account, invoice, atMs);
  } else emitInvoice(account, 'invoice.updated', invoice, atMs);
  return note;
}

/**
 * What a note would be. Where the paid part goes need not be said yet.
 * @throws StripeRefusal
 */
export function previewCreditNote(
  account: BillingAccount,
  input: NewCreditNote,
  atMs: number,
): WireCreditNote {
  const { state } = account;
  const { invoice } = input;
  const { wire } = invoice;
  if (wire.status !== 'open' && wire.status !== 'paid') {
    throw refuseParameter(
      'invoice',
      `You can only credit open or paid invoices, this one is ${wire.status}.`,
    );
  }
  const rendered = renderAt(account, invoice, atMs);
  const before = notesOf(state, wire.id);
  const earlier = before.flatMap((note) => note.lines.data);
  const lines = creditLines(state, invoice, input.lines, earlier).map((line, index) => ({
    ...line,
    id: `cnli_tmp_${index}`,
  }));
  const amount = input.lines.length === 0 ? (input.amount ?? 0) : sum(lines, creditedTotal);
  if (input.amount !== null && input.amount !== amount) {
    throw refuseParameter('amount', `The lines come to ${amount} with their tax, not to ${input.amount}.`);
  }
  const left = rendered.total - sum(before, (note) => note.amount);
  if (amount <= 0 || amount > left) {
    throw refuseParameter(
      'amount',
      `The credit note must be above 0 and at most ${left}, what is left of the invoice.`,
    );
  }
  const prePayment = Math.min(amount, rendered.amount_remaining);
  return toCreditNote(input, lines, {
    amount,
    prePayment,
    number: `${wire.number ?? ''}-CN-${String(before.length + 1).padStart(2, '0')}`,
    at: toSeconds(atMs),
  });
}

function notesOf(state: StripeState, invoiceId: string): WireCreditNote[] {
  return [...state.creditNotes.values()].filter((note) => note.invoice === invoiceId);
}

function toCreditNote(
  input: NewCreditNote,
  lines: readonly WireCreditNoteLine[],
  made: { amount: number; prePayment: number; number: string; at: number },
): WireCreditNote {
  const { invoice } = input;
  const { amount, prePayment } = made;
  const postPayment = amount - prePayment;
  const isPlain = lines.length === 0;
  const taxOf = (behavior: string) =>
    sum(lines, ({ taxes }) => sum(taxes ?? [], (tax) => (tax.tax_behavior === behavior ? tax.amount : 0)));
  const gross = isPlain ? amount : sum(lines, (line) => line.amount);
  return {
    id: PREVIEW_ID,
    object: 'credit_note',
    amount,
    amount_shipping: 0,
    created: made.at,
    currency: invoice.wire.currency,
    customer: invoice.customerId,
    customer_account: null,
    customer_balance_transaction: null,
    discount_amount: sum(lines, (line) => line.discount_amount),
    discount_amounts: mergeAmounts(
      lines.flatMap((line) => line.discount_amounts),
      (entry) => String(entry.discount),
    ),
    effective_at: made.at,
    invoice: invoice.wire.id,
    lines: { object: 'list', data: [...lines], has_more: false, url: '/v1/credit_notes/preview/lines' },
    livemode: false,
    memo: input.memo,
    metadata: input.metadata,
    number: made.number,
    out_of_band_amount: input.outOfBandAmount === 0 ? null : input.outOfBandAmount,
    pdf: `https://pay.stripe.com/credit_notes/acct_sandbox/test_${PREVIEW_ID}/pdf`,
    post_payment_amount: postPayment,
    pre_payment_amount: prePayment,
    pretax_credit_amounts: mergeAmounts(
      lines.flatMap((line) => line.pretax_credit_amounts),
      (entry) => `${entry.type} ${String(entry.discount ?? entry.credit_balance_transaction)}`,
    ),
    reason: input.reason,
    refunds: [],
    shipping_cost: null,
    status: 'issued',
    subtotal: gross,
    subtotal_excluding_tax: gross - taxOf('inclusive'),
    total: amount,
    total_excluding_tax: amount - taxOf('exclusive') - taxOf('inclusive'),
    total_taxes: mergeAmounts(
      lines.flatMap((line) => line.taxes ?? []),
      (tax) => `${tax.tax_rate_details?.tax_rate} ${tax.tax_behavior}`,
    ),
    type: postPayment === 0 ? 'pre_payment' : prePayment === 0 ? 'post_payment' : 'mixed',
    voided_at: null,
  };
}

function refundOf(id: string, amount: number): WireCreditNote['refunds'][number] {
  return { amount_refunded: amount, payment_record_refund: null, refund: id, type: 'refund' };
}

function mergeAmounts<Entry extends { amount: number; taxable_amount?: number | null }>(
  entries: readonly Entry[],
  keyOf: (entry: Entry) => string,
): Entry[] {
  return [...Map.groupBy(entries, keyOf).values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const taxable = sum(same, (entry) => entry.taxable_amount ?? 0);
    const amount = sum(same, (entry) => entry.amount);
    return [{ ...first, amount, ...(first.taxable_amount == null ? {} : { taxable_amount: taxable }) }];
  });
}
