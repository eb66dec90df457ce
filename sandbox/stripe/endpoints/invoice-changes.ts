import type Stripe from 'stripe';
import { HOUR_MS } from '../../../src/platform/clock.ts';
import { readTerms, TERMS_SHAPE } from '../adjustments/terms.ts';
import {
  type Form,
  type FormShape,
  mergeMetadata,
  readBoolean,
  readChange,
  readInteger,
  readObjects,
  requireText,
} from '../http/form.ts';
import { refuseParameter, StripeRefusal } from '../http/refusal.ts';
import type { BillingCycle } from '../invoices/billing-cycle.ts';
import {
  collectPayment,
  emitInvoice,
  finalizeInvoice,
  hasPaymentMethod,
  requireDraft,
  voidInvoice,
  writeOffInvoice,
} from '../invoices/fate.ts';
import type { Invoice } from '../state.ts';
import { type Call, type Endpoint, found, idOf } from './endpoint.ts';

const MAX_CUSTOM_FIELDS = 4;
const MAX_FIELD_NAME_LENGTH = 40;
const MAX_FIELD_VALUE_LENGTH = 140;
/** "Up to 5 years in the future." */
const FURTHEST_FINALIZATION_MS = 5 * 365 * 24 * HOUR_MS;

const ONLY_EXPAND = { expand: 'any' } as const;

/** What is done to an invoice: changes of drafts, and its way to final, paid, void or away. */
export function invoiceChangeEndpoints(cycle: BillingCycle): Endpoint[] {
  const { account } = cycle;
  const { state } = account;
  const act = (verb: string, shape: FormShape, run: (invoice: Invoice, call: Call) => void): Endpoint => ({
    method: 'POST',
    path: `/v1/invoices/:id${verb}`,
    shape: { ...ONLY_EXPAND, ...shape },
    mutates: true,
    run: (call) => {
      const invoice = found(state.invoices, 'invoice', idOf(call));
      run(invoice, call);
      cycle.reconsider();
      return cycle.render(invoice, call.nowMs);
    },
  });
  return [
    act(
      '',
      {
        auto_advance: 'text',
        automatically_finalizes_at: 'text',
        custom_fields: { name: 'text', value: 'text' },
        description: 'text',
        footer: 'text',
        ...TERMS_SHAPE,
        metadata: 'any',
      } satisfies FormShape<Stripe.InvoiceUpdateParams>,
      (invoice, call) => {
        updateInvoice(cycle, invoice, call);
        emitInvoice(account, 'invoice.updated', invoice, call.nowMs);
      },
    ),
    act(
      '/finalize',
      { auto_advance: 'text' } satisfies FormShape<Stripe.InvoiceFinalizeInvoiceParams>,
      (invoice, { form, nowMs }) => {
        const collect = readBoolean(form, 'auto_advance') ?? invoice.wire.auto_advance ?? true;
        finalizeInvoice(account, invoice, nowMs, collect);
      },
    ),
    act('/pay', {}, (invoice, { nowMs }) => {
      if (invoice.wire.status !== 'open' && invoice.wire.status !== 'uncollectible') {
        throw refuseParameter('invoice', `This invoice is ${invoice.wire.status} and cannot be paid.`);
      }
      if (!hasPaymentMethod(account, invoice)) {
        throw new StripeRefusal(402, { code: 'missing', message: 'The customer has no payment method.' });
      }
      collectPayment(account, invoice, nowMs);
    }),
    act('/void', {}, (invoice, { nowMs }) => voidInvoice(account, invoice, nowMs)),
    act('/mark_uncollectible', {}, (invoice, { nowMs }) => writeOffInvoice(account, invoice, nowMs)),
    {
      method: 'DELETE',
      path: '/v1/invoices/:id',
      shape: {},
      mutates: true,
      run: (call) => {
        const invoice = found(state.invoices, 'invoice', idOf(call));
        requireDraft(invoice, 'You can only delete draft invoices.');
        emitInvoice(account, 'invoice.deleted', invoice, call.nowMs);
        state.invoices.delete(invoice.wire.id);
        for (const id of invoice.itemIds) state.invoiceItems.delete(id);
        cycle.reconsider();
        return { id: invoice.wire.id, object: 'invoice', deleted: true } satisfies Stripe.DeletedInvoice;
      },
    },
    act(
      '/update_lines',
      {
        lines: { id: 'text', description: 'text', metadata: 'any' },
      } satisfies FormShape<Stripe.InvoiceUpdateLinesParams>,
      (invoice, call) => {
        const changes = readObjects(call.form, 'lines');
        editLines(
          cycle,
          invoice,
          changes.map((change) => [requireText(change, 'id'), change] as const),
          call,
        );
      },
    ),
    {
      method: 'POST',
      path: '/v1/invoices/:id/lines/:lineId',
      shape: {
        description: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.InvoiceUpdateLineItemParams>,
      mutates: true,
      run: (call) => {
        const invoice = found(state.invoices, 'invoice', idOf(call));
        const lineId = call.params.lineId ?? '';
        editLines(cycle, invoice, [[lineId, call.form]], call);
        return cycle.lines(invoice, call.nowMs).find((line) => line.id === lineId) ?? {};
      },
    },
  ];
}

/** All or none. @throws StripeRefusal */
function editLines(
  cycle: BillingCycle,
  invoice: Invoice,
  changes: readonly (readonly [string, Form])[],
  { nowMs }: Call,
): void {
  const { account } = cycle;
  requireDraft(invoice);
  const lines = new Map(cycle.lines(invoice, nowMs).map((line) => [line.id, line]));
  for (const [lineId] of changes) found(lines, 'invoice line', lineId);
  for (const [lineId, change] of changes) {
    const line = found(lines, 'invoice line', lineId);
    const item = account.state.invoiceItems.get(line.parent?.invoice_item_details?.invoice_item ?? '');
    const description = readChange(change, 'description') ?? undefined;
    // Of a subscription's line the metadata is replaced; that of an item's is added to, and the item follows.
    const known = item === undefined ? {} : line.metadata;
    const edit = {
      ...invoice.lineEdits.get(lineId),
      ...(description === undefined ? {} : { description }),
      ...(change.metadata === undefined ? {} : { metadata: mergeMetadata(known, change) }),
    };
    invoice.lineEdits.set(lineId, edit);
    if (item === undefined) continue;
    item.description = edit.description ?? item.description;
    item.metadata = edit.metadata ?? item.metadata;
  }
  emitInvoice(account, 'invoice.updated', invoice, nowMs);
}

/** Of a finalized invoice only the metadata. @throws StripeRefusal */
function updateInvoice({ account }: BillingCycle, invoice: Invoice, { form, nowMs }: Call): void {
  const { wire } = invoice;
  const { metadata: _metadata, expand: _expand, ...changes } = form;
  if (Object.keys(changes).length > 0) requireDraft(invoice);
  const customFields = readCustomFields(form);
  const advance = readAdvance(account, invoice, form, nowMs);
  const setTerms = readTerms(account.state, form, wire, nowMs);
  const description = readChange(form, 'description');
  const footer = readChange(form, 'footer');
  setTerms(wire, { customer: invoice.customerId, invoice: wire.id }, nowMs);
  Object.assign(wire, advance);
  if (customFields !== undefined) wire.custom_fields = customFields;
  if (description !== undefined) wire.description = description;
  if (footer !== undefined) wire.footer = footer;
  wire.metadata = mergeMetadata(wire.metadata ?? {}, form);
}

/** When it finalizes itself: never without `auto_advance`; switched on again, after another grace unless told when. */
function readAdvance(
  { gracePeriodHours }: BillingCycle['account'],
  { wire }: Invoice,
  form: Form,
  nowMs: number,
): Pick<Invoice['wire'], 'auto_advance' | 'automatically_finalizes_at'> | undefined {
  const asked = readBoolean(form, 'auto_advance');
  const at = readInteger(form, 'automatically_finalizes_at');
  if (asked === undefined && at === undefined) return undefined;
  const auto_advance = asked ?? wire.auto_advance === true;
  if (!auto_advance) {
    if (at === undefined) return { auto_advance, automatically_finalizes_at: null };
    throw refuseParameter('automatically_finalizes_at', 'needs auto_advance to be true');
  }
  if (at !== undefined && (at * 1_000 <= nowMs || at * 1_000 > nowMs + FURTHEST_FINALIZATION_MS)) {
    throw refuseParameter('automatically_finalizes_at', 'must be in the future, and within 5 years');
  }
  const again = Math.floor((nowMs + gracePeriodHours * HOUR_MS) / 1_000);
  return { auto_advance, automatically_finalizes_at: at ?? wire.automatically_finalizes_at ?? again };
}

function readCustomFields(form: Form): { name: string; value: string }[] | null | undefined {
  if (form.custom_fields === undefined) return undefined;
  if (form.custom_fields === '') return null;
  const fields = readObjects(form, 'custom_fields').map((field) => ({
    name: requireText(field, 'name'),
    value: requireText(field, 'value'),
  }));
  if (fields.length > MAX_CUSTOM_FIELDS) {
    throw refuseParameter('custom_fields', `Array must have at most ${MAX_CUSTOM_FIELDS} elements`);
  }
  for (const { name, value } of fields) {
    if (name.length > MAX_FIELD_NAME_LENGTH || value.length > MAX_FIELD_VALUE_LENGTH) {
      throw refuseParameter(
        'custom_fields',
        `Invalid string: at most ${MAX_FIELD_NAME_LENGTH} characters of name and ${MAX_FIELD_VALUE_LENGTH} of value`,
      );
    }
  }
  return fields;
}
