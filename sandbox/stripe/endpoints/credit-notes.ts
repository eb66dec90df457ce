import type Stripe from 'stripe';
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
import { issueCreditNote, type NewCreditNote } from '../invoices/credit-notes.ts';
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
    retrieve('/v1/credit_notes/:id', (id) => found(state.creditNotes, 'credit note', id)),
    {
      method: 'POST',
      path: '/v1/credit_notes',
      shape: {
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
      } satisfies FormShape<Stripe.CreditNoteCreateParams>,
      mutates: true,
      run: (call) => {
        const note = issueCreditNote(cycle.account, readCreditNote(state, call), call.nowMs);
        cycle.reconsider();
        return note;
      },
    },
  ];
}

function readCreditNote(state: StripeState, { form }: Call): NewCreditNote {
  const invoiceId = requireText(form, 'invoice');
  const lines = readObjects(form, 'lines').map(readLine);
  const sum = lines.reduce((total, line) => total + line.amount, 0);
  const amount = readInteger(form, 'amount') ?? (lines.length > 0 ? sum : undefined);
  if (amount === undefined) throw refuseMissing('amount');
  if (lines.length > 0 && amount !== sum) throw refuseParameter('amount', 'must be the sum of the lines');
  const invoice = found(state.invoices, 'invoice', invoiceId);
  checkChargeable(BigInt(amount), invoice.wire.currency);
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

function readLine(line: Form): NewCreditNote['lines'][number] {
  const type = requireText(line, 'type');
  if (type !== 'invoice_line_item' && type !== 'custom_line_item') {
    throw refuseParameter('lines', 'type must be invoice_line_item or custom_line_item');
  }
  const quantity = readInteger(line, 'quantity') ?? null;
  const unit = readText(line, 'unit_amount_decimal');
  const amount =
    readInteger(line, 'amount') ??
    (unit === undefined ? undefined : Number(priceLine(BigInt(quantity ?? 1), unit)));
  if (amount === undefined) throw refuseMissing('lines[amount]');
  return {
    invoiceLineId: type === 'invoice_line_item' ? requireText(line, 'invoice_line_item') : null,
    description: readText(line, 'description') ?? null,
    amount,
    quantity,
  };
}
