import type Stripe from 'stripe';
import { UpstreamError } from '../../platform/errors.ts';
import { type KeyedWrite, writeKeyed } from '../keyed-writes.ts';
import { type ClosingClient, read } from './calls.ts';
import { CLOSING_EXPANSIONS, isMissing, toClosingInvoice } from './invoice.ts';
import { checkAnnotation, checkIdempotencyKey } from './limits.ts';
import type { ClosedDraft, ClosingInvoice, InvoiceAnnotation } from './port.ts';

/** Under which metadata of an invoice our claim of it is found. */
const CLAIM_METADATA_KEY = 'tallystick_close';

/** Lines of one call. Stripe states no limit for it; an invoice has at most 250 items. */
const LINES_PER_CALL = 100;

/** See InvoiceSystem.claimInvoice. */
export async function claimInvoice(
  client: ClosingClient,
  invoiceId: string,
  claim: { finalizeNoLaterThan: Date; idempotencyKey: string },
  signal?: AbortSignal,
): Promise<'claimed' | ClosedDraft> {
  checkIdempotencyKey(claim.idempotencyKey);
  const parameters: Stripe.InvoiceUpdateParams = {
    auto_advance: true,
    automatically_finalizes_at: Math.floor(claim.finalizeNoLaterThan.getTime() / 1_000),
    metadata: { [CLAIM_METADATA_KEY]: claim.idempotencyKey },
  };
  return changeDraft(client, invoiceId, signal, async () => {
    const { status } = await update(client, 'claim an invoice', invoiceId, parameters, claim, signal);
    return status === 'draft' ? 'claimed' : 'already_final';
  });
}

/** See InvoiceSystem.annotateInvoice. Lines first: of all changes they are what only a draft takes. */
export async function annotateInvoice(
  client: ClosingClient,
  invoiceId: string,
  annotation: InvoiceAnnotation,
  signal?: AbortSignal,
): Promise<'annotated' | ClosedDraft> {
  checkAnnotation(annotation);
  const { memo, footer, customFields, metadata, lines = [] } = annotation;
  const parameters: Stripe.InvoiceUpdateParams = {
    ...(memo === undefined ? {} : { description: memo }),
    ...(footer === undefined ? {} : { footer }),
    ...(customFields === undefined
      ? {}
      : { custom_fields: customFields.length === 0 ? '' : customFields.map((field) => ({ ...field })) }),
    ...(metadata === undefined ? {} : { metadata: { ...metadata } }),
  };
  return changeDraft(client, invoiceId, signal, async () => {
    for (let start = 0; start < lines.length; start += LINES_PER_CALL) {
      const page = lines.slice(start, start + LINES_PER_CALL);
      await updateLines(client, invoiceId, page, annotation, signal);
    }
    if (Object.keys(parameters).length === 0) return 'annotated';
    const { status } = await update(client, 'annotate an invoice', invoiceId, parameters, annotation, signal);
    return status === 'draft' ? 'annotated' : 'already_final';
  });
}

/** See InvoiceSystem.finalizeInvoice. */
export async function finalizeInvoice(
  client: ClosingClient,
  invoiceId: string,
  { idempotencyKey }: { idempotencyKey: string },
  signal?: AbortSignal,
): Promise<{ invoice: ClosingInvoice | null } | ClosedDraft> {
  checkIdempotencyKey(idempotencyKey);
  const parameters: Stripe.InvoiceFinalizeInvoiceParams = {
    auto_advance: true,
    expand: [...CLOSING_EXPANSIONS],
  };
  const write = {
    action: 'finalize an invoice',
    context: { invoice: invoiceId },
    intent: idempotencyKey,
    content: [invoiceId, parameters],
    run: (request: Stripe.RequestOptions) =>
      client.stripe.invoices.finalizeInvoice(invoiceId, parameters, request),
  };
  return changeDraft(client, invoiceId, signal, async () => {
    const invoice = await writeKeyed(client, write, signal);
    return { invoice: invoice.lines.has_more ? null : toClosingInvoice(invoice, invoice.lines.data) };
  });
}

function update(
  client: ClosingClient,
  action: string,
  invoiceId: string,
  parameters: Stripe.InvoiceUpdateParams,
  { idempotencyKey }: { idempotencyKey: string },
  signal?: AbortSignal,
): Promise<Stripe.Invoice> {
  return set(
    client,
    {
      action,
      context: { invoice: invoiceId },
      intent: idempotencyKey,
      content: [invoiceId, parameters],
      run: (request) => client.stripe.invoices.update(invoiceId, parameters, request),
    },
    signal,
  );
}

function updateLines(
  client: ClosingClient,
  invoiceId: string,
  lines: NonNullable<InvoiceAnnotation['lines']>,
  { idempotencyKey }: InvoiceAnnotation,
  signal?: AbortSignal,
): Promise<Stripe.Invoice> {
  const parameters: Stripe.InvoiceUpdateLinesParams = {
    lines: lines.map(({ lineId, description, metadata }) => ({
      id: lineId,
      description,
      ...(metadata === undefined ? {} : { metadata: { ...metadata } }),
    })),
  };
  return set(
    client,
    {
      action: 'describe the lines of an invoice',
      context: { invoice: invoiceId },
      intent: idempotencyKey,
      content: [invoiceId, parameters],
      run: (request) => client.stripe.invoices.updateLines(invoiceId, parameters, request),
    },
    signal,
  );
}

/** An answer that Stripe kept says nothing about what somebody has changed since: it is set once more. */
function set(
  client: ClosingClient,
  write: KeyedWrite<Stripe.Invoice>,
  signal?: AbortSignal,
): Promise<Stripe.Invoice> {
  return writeKeyed(client, { ...write, holds: async () => false }, signal);
}

/** Where Stripe refuses a change, the invoice itself says whether that is because it is no draft any more. */
async function changeDraft<Outcome>(
  client: ClosingClient,
  invoiceId: string,
  signal: AbortSignal | undefined,
  change: () => Promise<Outcome>,
): Promise<Outcome | ClosedDraft> {
  try {
    return await change();
  } catch (error) {
    if (!(error instanceof UpstreamError) || error.code !== 'UPSTREAM_REJECTED') throw error;
    const status = await readStatus(client, invoiceId, signal);
    if (status === null) return 'deleted';
    if (status !== 'draft') return 'already_final';
    throw error;
  }
}

async function readStatus(
  client: ClosingClient,
  invoiceId: string,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const call = { action: 'read the status of an invoice', context: { invoice: invoiceId } };
  try {
    const invoice = await read(client, call, () => client.stripe.invoices.retrieve(invoiceId), signal);
    return 'deleted' in invoice && invoice.deleted === true ? null : (invoice.status ?? 'draft');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
