import Stripe from 'stripe';
import { afterEach, describe, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { type ClosingWorld, FIRST_END_MS, openClosing } from './closing-world.ts';

let world: ClosingWorld;
afterEach(() => world.close());

const item = (overrides: Stripe.InvoiceItemCreateParams = {}): Stripe.InvoiceItemCreateParams => ({
  customer: world.id,
  currency: 'usd',
  description: 'Late usage',
  amount: 25,
  ...overrides,
});

describe('a pending item', () => {
  test('joins the next draft with its own period, and is on no other', async () => {
    world = await openClosing();
    const { sdk, goTo, id, reports, invoiceId } = world;
    const period = { start: FIRST_END_MS / 1_000 - 7_200, end: FIRST_END_MS / 1_000 - 3_600 };
    const made = await sdk.invoiceItems.create(
      item({
        amount: undefined as never,
        quantity: 12_345,
        unit_amount_decimal: Stripe.Decimal.from('0.0012'),
        period,
      }),
    );
    expect(made).toMatchObject({ invoice: null, amount: 15, quantity: 12_345 });
    const preview = await sdk.invoices.createPreview({ customer: id, subscription: world.subscriptionId });
    expect(preview.total).toBe(15);
    goTo(FIRST_END_MS);
    expect(await sdk.invoiceItems.retrieve(made.id)).toMatchObject({ invoice: invoiceId() });
    const lines = await sdk.invoices.listLineItems(invoiceId(), { limit: 100 });
    expect(lines.data.at(-1)).toMatchObject({
      amount: 15,
      description: 'Late usage',
      period,
      parent: { type: 'invoice_item_details', invoice_item_details: { invoice_item: made.id } },
      pricing: { unit_amount_decimal: Stripe.Decimal.from('0.0012') },
    });
    goTo(FIRST_END_MS + 32 * DAY_MS);
    expect(reports().map((invoice) => invoice.total)).toEqual(['0.15', '0.00']);
    expect((await sdk.invoiceItems.list({ customer: id, pending: true })).data).toEqual([]);
  });

  test('of a subscription waits for that one, and of another currency for an invoice in it', async () => {
    world = await openClosing({
      scenarioLives: { 0: { secondSubscription: { models: ['o4-mini'], anchorDay: 10 } } },
    });
    const { sdk, goTo, id, reports } = world;
    const subscriptions = (await sdk.subscriptions.list({ customer: id })).data;
    const second = subscriptions.find(({ items }) => items.data.length === 3);
    expect(subscriptions).toHaveLength(2);
    await sdk.invoiceItems.create(item({ subscription: second?.id ?? '', amount: 40 }));
    await sdk.invoiceItems.create(item({ currency: 'eur', amount: 99 }));
    goTo(FIRST_END_MS + 10 * DAY_MS);
    expect(reports().map((invoice) => invoice.total)).toEqual(['0.00', '0.40']);
    const pending = await sdk.invoiceItems.list({ customer: id, pending: true });
    expect(pending.data.map(({ currency }) => currency)).toEqual(['eur']);
  });

  test('may reduce an invoice below nothing; the rest is the customer’s credit', async () => {
    world = await openClosing();
    const { sdk, goTo, id, reports } = world;
    await sdk.invoiceItems.create(item({ amount: -70 }));
    goTo(FIRST_END_MS + 49 * HOUR_MS);
    expect(reports()).toMatchObject([{ status: 'paid', total: '-0.70' }]);
    expect(await sdk.invoices.list({ customer: id })).toMatchObject({ data: [{ amount_due: 0 }] });
    expect((await sdk.customers.retrieve(id)) as object).toMatchObject({ balance: -70 });
  });
});

describe('an item for a draft', () => {
  test('joins it at once, can be taken away, and goes with it when it is deleted', async () => {
    world = await openClosing();
    const { sdk, goTo, reports, invoiceId, id } = world;
    goTo(FIRST_END_MS + HOUR_MS);
    const first = await sdk.invoiceItems.create(item({ invoice: invoiceId() }));
    await sdk.invoiceItems.create(item({ invoice: invoiceId(), amount: 5 }));
    expect(reports()[0]?.total).toBe('0.30');
    await sdk.invoiceItems.del(first.id);
    expect(reports()[0]?.total).toBe('0.05');
    await sdk.invoices.del(invoiceId());
    expect(reports()).toEqual([]);
    expect((await sdk.invoiceItems.list({ customer: id })).data).toEqual([]);
  });

  test('is refused on a final one, on another customer’s, in another currency, and as number 251', async () => {
    world = await openClosing();
    const { sdk, goTo, invoiceId } = world;
    goTo(FIRST_END_MS + HOUR_MS);
    const invoice = invoiceId();
    const other = await world.customer(1);
    for (const wrong of [
      { customer: other.id },
      { currency: 'eur' },
      { invoice: 'in_none' },
      { subscription: other.subscriptionId },
      { quantity: 2 },
      { period: { start: 2, end: 1 } },
    ]) {
      await expect(sdk.invoiceItems.create(item({ invoice, ...wrong }))).rejects.toMatchObject({
        statusCode: 400,
      });
    }
    for (let count = 0; count < 250; count += 1) await sdk.invoiceItems.create(item({ invoice, amount: 1 }));
    await expect(sdk.invoiceItems.create(item({ invoice }))).rejects.toMatchObject({ statusCode: 400 });
    const listed = await sdk.invoiceItems.list({ invoice, limit: 100 });
    expect(listed.has_more).toBe(true);
    await sdk.invoices.finalizeInvoice(invoice);
    await expect(sdk.invoiceItems.create(item({ invoice }))).rejects.toMatchObject({
      code: 'invoice_not_editable',
    });
    await expect(sdk.invoiceItems.del(listed.data[0]?.id ?? '')).rejects.toMatchObject({
      code: 'invoice_not_editable',
    });
  });
});

describe('the text of a draft', () => {
  test('is kept within Stripe’s limits, unset by an empty one, and fixed by finalization', async () => {
    world = await openClosing();
    const { sdk, goTo, invoiceId } = world;
    goTo(FIRST_END_MS + HOUR_MS);
    const id = invoiceId();
    const field = { name: 'Period', value: 'November' };
    expect(await sdk.invoices.update(id, { custom_fields: [field], description: 'Memo' })).toMatchObject({
      custom_fields: [field],
      description: 'Memo',
    });
    for (const custom_fields of [
      Array(5).fill(field),
      [{ name: 'n'.repeat(41), value: 'v' }],
      [{ name: 'n', value: 'v'.repeat(141) }],
    ]) {
      await expect(sdk.invoices.update(id, { custom_fields })).rejects.toMatchObject({ statusCode: 400 });
    }
    expect(await sdk.invoices.update(id, { custom_fields: '', description: '' })).toMatchObject({
      custom_fields: null,
      description: null,
    });
    const [line] = (await sdk.invoices.listLineItems(id)).data;
    await sdk.invoices.updateLineItem(id, line?.id ?? '', { description: 'One', metadata: { a: '1' } });
    expect((await sdk.invoices.listLineItems(id)).data[0]).toMatchObject({
      description: 'One',
      metadata: { a: '1' },
    });
    await expect(
      sdk.invoices.updateLines(id, {
        lines: [
          { id: line?.id ?? '', description: 'Two' },
          { id: 'il_none', description: 'x' },
        ],
      }),
    ).rejects.toMatchObject({ statusCode: 404 });
    await sdk.invoices.finalizeInvoice(id);
    const [final] = (await sdk.invoices.listLineItems(id)).data;
    expect(final?.description).toBe('One');
    await expect(
      sdk.invoices.updateLines(id, { lines: [{ id: line?.id ?? '', description: 'Two' }] }),
    ).rejects.toMatchObject({ code: 'invoice_not_editable' });
    await expect(sdk.invoices.update(id, { description: 'Late' })).rejects.toMatchObject({ statusCode: 400 });
    expect((await sdk.invoices.update(id, { metadata: { b: '2' } })).metadata).toEqual({ b: '2' });
  });

  test('of an item’s line is the item’s too', async () => {
    world = await openClosing();
    const { sdk, goTo, invoiceId } = world;
    goTo(FIRST_END_MS + HOUR_MS);
    const made = await sdk.invoiceItems.create(item({ invoice: invoiceId(), metadata: { a: '1' } }));
    const line = (await sdk.invoices.listLineItems(invoiceId(), { limit: 100 })).data.at(-1);
    await sdk.invoices.updateLines(invoiceId(), {
      lines: [{ id: line?.id ?? '', description: 'Renamed', metadata: { b: '2' } }],
    });
    expect(await sdk.invoiceItems.retrieve(made.id)).toMatchObject({
      description: 'Renamed',
      metadata: { a: '1', b: '2' },
    });
  });
});

describe('a customer without a payment method', () => {
  test('owes what is finalized until it can be paid', async () => {
    world = await openClosing({ scenarioLives: { 0: { withoutPaymentMethod: true } }, gracePeriodHours: 1 });
    const { sdk, goTo, use, id, invoiceId, reports, subscriptionId } = world;
    goTo(FIRST_END_MS - HOUR_MS);
    await use(1_000_000n, FIRST_END_MS - 2 * HOUR_MS);
    goTo(FIRST_END_MS + 2 * HOUR_MS);
    expect(reports()).toMatchObject([{ status: 'open', total: '3.00' }]);
    const types = (await sdk.events.list({ type: 'invoice.*', limit: 100 })).data
      .filter((event) => (event.data.object as { id?: string }).id === invoiceId())
      .map((event) => event.type);
    expect(types.reverse()).toEqual(['invoice.created', 'invoice.finalized', 'invoice.payment_failed']);
    expect((await sdk.subscriptions.retrieve(subscriptionId)).status).toBe('past_due');
    await expect(sdk.invoices.pay(invoiceId())).rejects.toMatchObject({ statusCode: 402 });
    await sdk.customers.update(id, { invoice_settings: { default_payment_method: 'pm_card' } });
    expect(await sdk.invoices.pay(invoiceId())).toMatchObject({ status: 'paid', amount_paid: 300 });
    expect((await sdk.subscriptions.retrieve(subscriptionId)).status).toBe('active');
  });

  test('has the invoice voided, once it is final and not before', async () => {
    world = await openClosing({ scenarioLives: { 0: { withoutPaymentMethod: true } } });
    const { sdk, goTo, use, invoiceId, reports } = world;
    goTo(FIRST_END_MS - HOUR_MS);
    await use(1_000_000n, FIRST_END_MS - 2 * HOUR_MS);
    goTo(FIRST_END_MS + HOUR_MS);
    await expect(sdk.invoices.voidInvoice(invoiceId())).rejects.toMatchObject({ statusCode: 400 });
    await sdk.invoices.finalizeInvoice(invoiceId());
    await expect(sdk.invoices.del(invoiceId())).rejects.toMatchObject({ statusCode: 400 });
    await sdk.invoices.voidInvoice(invoiceId());
    expect(reports()).toMatchObject([{ status: 'void', total: '3.00' }]);
  });
});
