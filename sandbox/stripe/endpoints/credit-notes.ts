import type Stripe from 'stripe';
import type { AskedCredit } from '../adjustments/credited.ts';
import {
  type Form,
  type FormShape,
  readInteger,
  readMap,
  readObjects,
  readRange,
  readText,
  requireText,
} from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import { refuseMissing, refuseParameter } from '../http/refusal.ts';
import type { BillingCycle } from '../invoices/billing-cycle.ts';
import { issueCreditNote, type NewCreditNote, previewCreditNote } from '../invoices/credit-notes.ts';
import { checkChargeable, priceLine } from '../money.ts';
import type { StripeState } from '../state.ts';
import { type Call, type Endpoint, found, retrieve } from './endpoint.ts';

const REASONS = ['duplicate', 'fraudulent', 'order_change', 'product_unsatisfactory'];

/** Credit notes: what is taken off a final invoice. */
export function creditNoteEndpoints(cycle: BillingCycle): Endpoint[] {
  const { state } = cycle.account;
  return [
    {
      method: 'GET',
      path: '/v1/credit_notes',
      shape: {
        ...PAGING_SHAPE,
        created: 'any',
        customer: 'text',
        invoice: 'text',
      } satisfies FormShape<Stripe.CreditNoteListParams>,
      mutates: false,
      run: ({ form }) => {
        const { customer, invoice } = form;
        const created = readRange(form, 'created');
        const notes = [...state.creditNotes.values()].filter(
          (note) =>
            created(note.created) &&
            (customer === undefined || note.customer === customer) &&
            (invoice === undefined || note.invoice === invoice),
        );
        return toPage(notes, form, '/v1/credit_notes');
      },
    },
    {
      method: 'GET',
      path: '/v1/credit_notes/preview',
      shape: NOTE_SHAPE satisfies FormShape<Stripe.CreditNotePreviewParams>,
      mutates: false,
      run: (call) => previewCreditNote(cycle.account, readCreditNote(state, call), call.nowMs),
    },
    retrieve('/v1/credit_notes/:id', (id) => found(state.creditNotes, 'credit note', id)),
    {
      method: 'POST',
      path: '/v1/credit_notes',
      shape: NOTE_SHAPE satisfies FormShape<Stripe.CreditNoteCreateParams>,
      mutates: true,
      run: (call) => {
        const note = issueCreditNote(cycle.account, readCreditNote(state, call), call.nowMs);
        cycle.reconsider();
        return note;
      },
    },
  ];
}

const NOTE_SHAPE = {
  invoice: 'text',
  amount: 'text',
  credit_amount: 'text',
  refund_amount: 'text',
  out_of_band_amount: 'text',
  lines: {
    type: 'text',
    invoice_line_item: 'text',
    amount: 'text',
    description: 'text',
    quantity: 'text',
    unit_amount_decimal: 'text',
  },
  reason: 'text',
  memo: 'text',
  metadata: 'any',
  expand: 'any',
} as const;

function readCreditNote(state: StripeState, { form }: Call): NewCreditNote {
  const invoiceId = requireText(form, 'invoice');
  const lines = readObjects(form, 'lines').map(readLine);
  const amount = readInteger(form, 'amount') ?? null;
  if (amount === null && lines.length === 0) throw refuseMissing('amount');
  const invoice = found(state.invoices, 'invoice', invoiceId);
  if (amount !== null) checkChargeable(BigInt(amount), invoice.wire.currency);
  const reason = readText(form, 'reason') ?? null;
  if (reason !== null && !REASONS.includes(reason)) {
    throw refuseParameter('reason', `must be one of ${REASONS.join(', ')}`);
  }
  return {
    invoice,
    lines,
    amount,
    creditAmount: readPart(form, 'credit_amount'),
    refundAmount: readPart(form, 'refund_amount'),
    outOfBandAmount: readPart(form, 'out_of_band_amount'),
    reason,
    memo: readText(form, 'memo') ?? null,
    metadata: readMap(form, 'metadata'),
  };
}

function readPart(form: Form, name: string): number {
  const amount = readInteger(form, name) ?? 0;
  if (amount < 0) throw refuseParameter(name, 'must not be negative');
  return amount;
}

function readLine(line: Form): AskedCredit {
  const type = requireText(line, 'type');
  const amount = readInteger(line, 'amount') ?? null;
  const quantity = readInteger(line, 'quantity') ?? null;
  if (type === 'invoice_line_item') {
    if ((amount === null) === (quantity === null)) {
      throw refuseParameter('lines', 'One of amount and quantity is needed, not both.');
    }
    return { invoiceLineId: requireText(line, 'invoice_line_item'), amount, quantity };
  }
  if (type !== 'custom_line_item') {
    throw refuseParameter('lines', 'type must be invoice_line_item or custom_line_item');
  }
  if (amount !== null) {
    throw refuseParameter('lines', 'amount is only valid when type is invoice_line_item.');
  }
  const unitAmountDecimal = requireText(line, 'unit_amount_decimal');
  return {
    description: readText(line, 'description') ?? null,
    amount: Number(priceLine(BigInt(quantity ?? 1), unitAmountDecimal)),
    quantity: quantity ?? 1,
    unitAmountDecimal,
  };
}
