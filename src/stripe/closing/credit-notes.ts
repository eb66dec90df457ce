import type Stripe from 'stripe';
import { writeKeyed } from '../keyed-writes.ts';
import { type ClosingClient, read, readPages } from './calls.ts';
import { checkCreditNote } from './limits.ts';
import { KEY_METADATA_KEY, type NewCreditNote } from './port.ts';

/** See InvoiceSystem.createCreditNote. */
export async function createCreditNote(
  client: ClosingClient,
  note: NewCreditNote,
  signal?: AbortSignal,
): Promise<{ creditNoteId: string }> {
  checkCreditNote(note);
  const { stripe } = client;
  const context = { invoice: note.invoiceId };
  const find = async () => {
    const notes = await readPages(
      client,
      { action: 'list credit notes', context },
      (page) => stripe.creditNotes.list({ ...page, invoice: note.invoiceId }),
      signal,
    );
    return notes.find((known) => known.metadata?.[KEY_METADATA_KEY] === note.idempotencyKey) ?? null;
  };
  const known = await find();
  if (known !== null) return { creditNoteId: known.id };
  const invoice = await read(
    client,
    { action: 'read an invoice', context },
    () => stripe.invoices.retrieve(note.invoiceId),
    signal,
  );
  const parameters = toParameters(note, BigInt(invoice.amount_remaining));
  const made = await writeKeyed<Stripe.CreditNote>(
    client,
    {
      action: 'create a credit note',
      context,
      intent: note.idempotencyKey,
      content: parameters,
      run: (request) => stripe.creditNotes.create(parameters, request),
      find,
    },
    signal,
  );
  return { creditNoteId: made.id };
}

/** What is not owed any more was paid: Stripe must be told where that part of a credit goes. */
function toParameters(note: NewCreditNote, owedMinor: bigint): Stripe.CreditNoteCreateParams {
  const total =
    'amountMinor' in note
      ? note.amountMinor
      : note.lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0n);
  return {
    invoice: note.invoiceId,
    ...('amountMinor' in note
      ? { amount: Number(note.amountMinor) }
      : {
          lines: note.lines.map(({ lineId, amountMinor }) => ({
            type: 'invoice_line_item' as const,
            invoice_line_item: lineId,
            amount: Number(amountMinor),
          })),
        }),
    ...(total > owedMinor ? { credit_amount: Number(total - owedMinor) } : {}),
    reason: note.reason,
    memo: note.memo,
    metadata: { ...note.metadata, [KEY_METADATA_KEY]: note.idempotencyKey },
  };
}
