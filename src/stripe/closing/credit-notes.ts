import type Stripe from 'stripe';
import { writeKeyed } from '../keyed-writes.ts';
import { type ClosingClient, read, readPages } from './calls.ts';
import { type CreditPart, planCredit } from './credit-plan.ts';
import { checkCreditNote } from './limits.ts';
import { type CreditNoteOutcome, KEY_METADATA_KEY, type NewCreditNote } from './port.ts';

/** Previews of one note: the first guess is right but for a cent, where tax is in the price. */
const MOST_PREVIEWS = 5;

/** See InvoiceSystem.createCreditNote. */
export async function createCreditNote(
  client: ClosingClient,
  note: NewCreditNote,
  signal?: AbortSignal,
): Promise<CreditNoteOutcome> {
  checkCreditNote(note);
  const { stripe } = client;
  const context = { invoice: note.invoiceId };
  const listNotes = () =>
    readPages(
      client,
      { action: 'list credit notes', context },
      (page) => stripe.creditNotes.list({ ...page, invoice: note.invoiceId }),
      signal,
    );
  const isOurs = (known: Stripe.CreditNote) => known.metadata?.[KEY_METADATA_KEY] === note.idempotencyKey;
  const notes = await listNotes();
  const known = notes.find(isOurs);
  if (known !== undefined) return toOutcome(known);
  const { invoice, lines } = await readInvoice(client, note.invoiceId, signal);
  const plan = planCredit({ note, invoice, lines, notes });
  if ('creditableMinor' in plan) return plan;
  const { asked, preview } = await agree(client, note.invoiceId, plan.parts, signal);
  const refunded = notes.flatMap((one) => one.refunds.map((refund) => BigInt(refund.amount_refunded)));
  const parameters: Stripe.CreditNoteCreateParams = {
    ...asked,
    ...paidPart(note, preview, BigInt(invoice.amount_paid) - refunded.reduce((sum, part) => sum + part, 0n)),
    reason: note.reason,
    memo: note.memo,
    metadata: { ...note.metadata, [KEY_METADATA_KEY]: note.idempotencyKey },
  };
  const made = await writeKeyed<Stripe.CreditNote>(
    client,
    {
      action: 'create a credit note',
      context,
      intent: note.idempotencyKey,
      content: parameters,
      run: (request) => stripe.creditNotes.create(parameters, request),
      find: async () => (await listNotes()).find(isOurs) ?? null,
    },
    signal,
  );
  return toOutcome(made);
}

function toOutcome({ id, total }: Stripe.CreditNote): CreditNoteOutcome {
  return { creditNoteId: id, totalMinor: BigInt(total) };
}

async function readInvoice(
  client: ClosingClient,
  invoiceId: string,
  signal: AbortSignal | undefined,
): Promise<{ invoice: Stripe.Invoice; lines: Stripe.InvoiceLineItem[] }> {
  const { stripe } = client;
  const context = { invoice: invoiceId };
  const call = { action: 'read an invoice', context };
  const invoice = await read(client, call, () => stripe.invoices.retrieve(invoiceId), signal);
  if (!invoice.lines.has_more) return { invoice, lines: invoice.lines.data };
  const lines = await readPages(
    client,
    { action: 'list the lines of an invoice', context },
    (page) => stripe.invoices.listLineItems(invoiceId, page),
    signal,
  );
  return { invoice, lines };
}

/**
 * What to ask for so that Stripe takes off each line what is meant, by its own preview: the note's total with all tax, and
 * how much of it was paid already, are Stripe's to say.
 */
async function agree(
  client: ClosingClient,
  invoiceId: string,
  parts: readonly CreditPart[],
  signal: AbortSignal | undefined,
): Promise<{ asked: Stripe.CreditNotePreviewParams; preview: Stripe.CreditNote }> {
  const { stripe } = client;
  const call = { action: 'preview a credit note', context: { invoice: invoiceId } };
  let amounts = parts.map((part) => part.firstAskedMinor);
  for (let count = 1; ; count += 1) {
    const asked = toParameters(invoiceId, parts, amounts);
    const preview = await read(client, call, () => stripe.creditNotes.preview(asked), signal);
    const taken = parts.map(({ lineId }) => {
      const line = preview.lines.data.find((one) => one.invoice_line_item === lineId);
      return lineId === null ? null : BigInt(line?.amount ?? 0);
    });
    const lacking = parts.map(({ amountMinor }, index) => amountMinor - (taken[index] ?? amountMinor));
    if (count === MOST_PREVIEWS || lacking.every((amount) => amount === 0n)) return { asked, preview };
    amounts = amounts.map((amount, index) => amount + (lacking[index] ?? 0n));
  }
}

function toParameters(
  invoice: string,
  parts: readonly CreditPart[],
  amounts: readonly bigint[],
): Stripe.CreditNotePreviewParams {
  const [first] = parts;
  if (first?.lineId == null) return { invoice, amount: Number(amounts[0] ?? 0n) };
  return {
    invoice,
    lines: parts.map(({ lineId }, index) => ({
      type: 'invoice_line_item' as const,
      invoice_line_item: lineId ?? '',
      amount: Number(amounts[index] ?? 0n),
    })),
  };
}

/** What is not owed any more was paid: Stripe must be told where that part of a credit goes. */
function paidPart(
  { paidPart: to = 'customer_balance' }: NewCreditNote,
  preview: Stripe.CreditNote,
  refundable: bigint,
): Pick<Stripe.CreditNoteCreateParams, 'credit_amount' | 'refund_amount' | 'out_of_band_amount'> {
  const paid = BigInt(preview.post_payment_amount);
  if (paid === 0n) return {};
  if (to === 'outside_stripe') return { out_of_band_amount: Number(paid) };
  // What the customer's balance paid goes back to it.
  const refund = to !== 'refund' || refundable < 0n ? 0n : paid < refundable ? paid : refundable;
  return {
    ...(refund === 0n ? {} : { refund_amount: Number(refund) }),
    ...(paid === refund ? {} : { credit_amount: Number(paid - refund) }),
  };
}
