import type Stripe from 'stripe';
import { readTaxBehavior, readTaxCode, readTaxRates } from '../adjustments/tax-parameters.ts';
import { checkTaxable } from '../adjustments/taxes.ts';
import { ITEM_TERMS_SHAPE, readItemTerms } from '../adjustments/terms.ts';
import {
  type Form,
  type FormShape,
  mergeMetadata,
  readBoolean,
  readChange,
  readInteger,
  readMap,
  readNested,
  readRange,
  readText,
  requireText,
} from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import { refuseMissing, refuseParameter } from '../http/refusal.ts';
import { toSeconds, type WireInvoiceItem } from '../http/wire.ts';
import type { BillingCycle } from '../invoices/billing-cycle.ts';
import { emitInvoice, requireDraft } from '../invoices/fate.ts';
import { checkRoom, joinInvoice, newInvoiceItem } from '../invoices/items.ts';
import { checkChargeable, parseDecimal, priceLine } from '../money.ts';
import type { Invoice, StripeState } from '../state.ts';
import { type Call, type Endpoint, found, idOf, retrieve } from './endpoint.ts';

/** Invoice items: amounts beside the subscription's, pending or on a draft. */
export function invoiceItemEndpoints({ account }: BillingCycle): Endpoint[] {
  const { state, emit } = account;
  return [
    {
      method: 'GET',
      path: '/v1/invoiceitems',
      shape: {
        ...PAGING_SHAPE,
        created: 'any',
        customer: 'text',
        invoice: 'text',
        pending: 'text',
      } satisfies FormShape<Stripe.InvoiceItemListParams>,
      mutates: false,
      run: ({ form }) => {
        const { customer, invoice } = form;
        const created = readRange(form, 'created');
        const pending = readBoolean(form, 'pending');
        const items = [...state.invoiceItems.values()].filter(
          (item) =>
            created(item.date) &&
            (customer === undefined || item.customer === customer) &&
            (invoice === undefined || item.invoice === invoice) &&
            (pending === undefined || (item.invoice === null) === pending),
        );
        return toPage(items, form, '/v1/invoiceitems');
      },
    },
    retrieve('/v1/invoiceitems/:id', (id) => found(state.invoiceItems, 'invoiceitem', id)),
    {
      method: 'POST',
      path: '/v1/invoiceitems',
      shape: {
        customer: 'text',
        subscription: 'text',
        invoice: 'text',
        currency: 'text',
        description: 'text',
        amount: 'text',
        quantity: 'text',
        unit_amount_decimal: 'text',
        period: { start: 'text', end: 'text' },
        discountable: 'text',
        tax_behavior: 'text',
        tax_code: 'text',
        ...ITEM_TERMS_SHAPE,
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.InvoiceItemCreateParams>,
      mutates: true,
      run: (call) => {
        const { form, nowMs } = call;
        const invoice = readDraft(state, form);
        const item = createItem(state, invoice, call);
        emit('invoiceitem.created', item, nowMs);
        if (invoice !== null) emitInvoice(account, 'invoice.updated', invoice, nowMs);
        return item;
      },
    },
    {
      method: 'POST',
      path: '/v1/invoiceitems/:id',
      shape: {
        amount: 'text',
        description: 'text',
        discountable: 'text',
        ...ITEM_TERMS_SHAPE,
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.InvoiceItemUpdateParams>,
      mutates: true,
      run: (call) => {
        const item = found(state.invoiceItems, 'invoiceitem', idOf(call));
        const invoice = requireOpenItem(state, item);
        const amount = readInteger(call.form, 'amount');
        const setTerms = readItemTerms(state, call.form, item, call.nowMs);
        if (amount !== undefined) {
          const { behavior } = state.invoiceItemTaxes.get(item.id) ?? { behavior: 'unspecified' };
          checkChargeable(BigInt(amount), item.currency);
          if (invoice !== undefined)
            checkFits(state, invoice, { amount: BigInt(amount), taxRateCount: 0, behavior });
          const pricing = item.pricing ?? null;
          const unit = { type: 'price_details' as const, unit_amount_decimal: String(amount) };
          Object.assign(item, { amount, net_amount: amount, quantity: 1, quantity_decimal: '1' });
          item.pricing = { ...pricing, ...unit };
        }
        setTerms(item, { customer: String(item.customer), invoice_item: item.id }, call.nowMs);
        item.discountable = readBoolean(call.form, 'discountable') ?? item.discountable;
        item.description = readChange(call.form, 'description') ?? item.description;
        item.metadata = mergeMetadata(item.metadata ?? {}, call.form);
        if (invoice !== undefined) emitInvoice(account, 'invoice.updated', invoice, call.nowMs);
        return item;
      },
    },
    {
      method: 'DELETE',
      path: '/v1/invoiceitems/:id',
      shape: {},
      mutates: true,
      run: (call) => {
        const item = found(state.invoiceItems, 'invoiceitem', idOf(call));
        const invoice = requireOpenItem(state, item);
        if (invoice !== undefined) invoice.itemIds = invoice.itemIds.filter((id) => id !== item.id);
        state.invoiceItems.delete(item.id);
        emit('invoiceitem.deleted', item, call.nowMs);
        return { id: item.id, object: 'invoiceitem', deleted: true } satisfies Stripe.DeletedInvoiceItem;
      },
    },
  ];
}

function readDraft(state: StripeState, form: Form): Invoice | null {
  const id = readText(form, 'invoice');
  if (id === undefined) return null;
  const invoice = state.invoices.get(id);
  if (invoice === undefined) throw refuseParameter('invoice', `No such invoice: '${id}'`, 'resource_missing');
  requireDraft(invoice, 'You can only add items to draft invoices.');
  return invoice;
}

function createItem(state: StripeState, invoice: Invoice | null, { form, nowMs }: Call): WireInvoiceItem {
  const customerId = requireText(form, 'customer');
  if (!state.customers.has(customerId)) {
    throw refuseParameter('customer', `No such customer: '${customerId}'`, 'resource_missing');
  }
  if (invoice !== null && invoice.customerId !== customerId) {
    throw refuseParameter('invoice', 'The invoice is of another customer.');
  }
  const subscriptionId = readText(form, 'subscription') ?? null;
  if (subscriptionId !== null && state.subscriptions.get(subscriptionId)?.customerId !== customerId) {
    throw refuseParameter('subscription', `No such subscription: '${subscriptionId}'`, 'resource_missing');
  }
  const currency = requireText(form, 'currency').toLowerCase();
  if (invoice !== null && invoice.wire.currency !== currency) {
    throw refuseParameter('currency', `The invoice is in ${invoice.wire.currency}.`);
  }
  const { start = toSeconds(nowMs), end = toSeconds(nowMs) } = readPeriod(form);
  const amounts = readAmount(form);
  if (form.amount !== undefined) checkChargeable(amounts.amount, currency);
  const taxes = {
    behavior: readTaxBehavior(form) ?? 'unspecified',
    code: readTaxCode(form) ?? null,
  } as const;
  const setTerms = readItemTerms(state, form, null, nowMs);
  const discountable = readBoolean(form, 'discountable');
  const taxRateCount = readTaxRates(state, form, 'tax_rates')?.length ?? 0;
  if (invoice !== null) {
    checkFits(state, invoice, { amount: amounts.amount, taxRateCount, behavior: taxes.behavior });
  }
  const input = {
    ...amounts,
    taxes,
    ...(discountable === undefined ? {} : { discountable }),
    customerId,
    subscriptionId: subscriptionId ?? invoice?.subscriptionId ?? null,
    currency,
    description: readText(form, 'description') ?? null,
    periodStart: start,
    periodEnd: end,
    metadata: readMap(form, 'metadata'),
    date: toSeconds(nowMs),
  };
  // A refused call leaves no trace, not even a used-up id: a replay would number differently.
  if (invoice !== null) checkRoom(invoice);
  const item = newInvoiceItem(state, input);
  setTerms(item, { customer: customerId, invoice_item: item.id }, nowMs);
  if (invoice !== null) joinInvoice(invoice, item);
  return item;
}

/** @throws StripeRefusal for what an invoice with automatic tax does not take */
function checkFits(
  state: StripeState,
  { wire }: Invoice,
  item: Pick<Parameters<typeof checkTaxable>[1], 'amount' | 'taxRateCount' | 'behavior'>,
): void {
  if (wire.automatic_tax.enabled) checkTaxable(state, { ...item, currency: wire.currency });
}

/** An amount, or a quantity at a price with its product rounded once. */
function readAmount(form: Form): { amount: bigint; quantity: bigint; unitAmountDecimal: string } {
  const amount = readInteger(form, 'amount');
  const quantity = readInteger(form, 'quantity') ?? 1;
  const unitAmountDecimal = readText(form, 'unit_amount_decimal');
  if (quantity < 0) throw refuseParameter('quantity', 'must not be negative', 'parameter_invalid_integer');
  if (amount !== undefined) {
    if (unitAmountDecimal === undefined && form.quantity === undefined) {
      return { amount: BigInt(amount), quantity: 1n, unitAmountDecimal: String(amount) };
    }
    throw refuseParameter(
      'amount',
      'amount goes with neither quantity nor unit_amount_decimal',
      'parameters_exclusive',
    );
  }
  if (unitAmountDecimal === undefined) throw refuseMissing('amount');
  try {
    parseDecimal(unitAmountDecimal);
  } catch {
    throw refuseParameter('unit_amount_decimal', `Invalid decimal: ${unitAmountDecimal}`);
  }
  const count = BigInt(quantity);
  return { amount: priceLine(count, unitAmountDecimal), quantity: count, unitAmountDecimal };
}

function readPeriod(form: Form): { start?: number; end?: number } {
  if (form.period === undefined) return {};
  const period = readNested(form, 'period');
  const start = readInteger(period, 'start');
  const end = readInteger(period, 'end');
  if (start === undefined || end === undefined) throw refuseMissing('period');
  if (start > end) throw refuseParameter('period', 'must not end before it begins');
  return { start, end };
}

/** @throws StripeRefusal when the item is on an invoice that is final */
function requireOpenItem(state: StripeState, item: WireInvoiceItem): Invoice | undefined {
  const invoice = state.invoices.get(String(item.invoice ?? ''));
  if (invoice !== undefined) requireDraft(invoice, 'The invoice item is on a finalized invoice.');
  return invoice;
}
