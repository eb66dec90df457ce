import type Stripe from 'stripe';
import { afterEach, describe, expect, test } from 'vitest';
import { HOUR_MS } from '../../src/platform/clock.ts';
import type { TestAccountOptions } from './account.ts';
import { type ClosingWorld, FIRST_END_MS, openClosing } from './closing-world.ts';

let world: ClosingWorld;
afterEach(() => (world as ClosingWorld | undefined)?.close());

const open = async (options: TestAccountOptions = {}) => {
  world = await openClosing(options);
  return world;
};
const use = (prompt: bigint, completion?: bigint) => world.useOnSecondDay(prompt, completion);
const draft = () => world.draft();
const finalize = (id: string) => world.finalize(id);

describe('tax', () => {
  test('of an exclusive rate is put on what discounts have left, of an inclusive one it is in it', async () => {
    const { sdk, subscriptionId } = await open();
    const vat = await sdk.taxRates.create({ display_name: 'VAT', percentage: 19, inclusive: false });
    const { id: coupon } = await sdk.coupons.create({ percent_off: 10, duration: 'forever' });
    await sdk.subscriptions.update(subscriptionId, {
      default_tax_rates: [vat.id],
      discounts: [{ coupon }],
    });
    await use(1_000_000n);
    const { id } = await draft();
    const final = await finalize(id);
    expect(final).toMatchObject({
      subtotal: 300,
      total_excluding_tax: 270,
      total: 321,
      amount_due: 321,
      total_taxes: [
        {
          amount: 51,
          tax_behavior: 'exclusive',
          taxable_amount: 270,
          tax_rate_details: { tax_rate: vat.id },
        },
      ],
    });
    await world.close();
    await open();
    const within = await world.sdk.taxRates.create({ display_name: 'VAT', percentage: 20, inclusive: true });
    await world.sdk.subscriptions.update(world.subscriptionId, { default_tax_rates: [within.id] });
    await use(1_000_000n);
    expect(await draft()).toMatchObject({
      subtotal: 300,
      subtotal_excluding_tax: 250,
      total: 300,
      total_excluding_tax: 250,
      total_taxes: [{ amount: 50, tax_behavior: 'inclusive', taxable_amount: 250 }],
    });
  });

  test.each([
    ['line', 4],
    ['invoice', 3],
  ] as const)(
    'of rates put on by hand is rounded for each %s, as the account chose',
    async (taxRounding, amount) => {
      const { sdk, subscriptionId } = await open({ taxRounding });
      const rate = await sdk.taxRates.create({ display_name: 'Levy', percentage: 0.5, inclusive: false });
      await sdk.subscriptions.update(subscriptionId, { default_tax_rates: [rate.id] });
      // 3.00 and 3.36 USD: 1.5 and 1.68 cents of tax.
      await use(1_000_000n, 280_000n);
      expect(await draft()).toMatchObject({ subtotal: 636, total_taxes: [{ amount }], total: 636 + amount });
    },
  );

  test('by Stripe Tax follows the price, then the account, and needs a place', async () => {
    const { sdk, subscriptionId, id: customer } = await open();
    await sdk.tax.settings.update({ defaults: { tax_behavior: 'exclusive', tax_code: 'txcd_10103001' } });
    await sdk.tax.registrations.create({
      country: 'DE',
      active_from: 'now',
      country_options: { de: { type: 'oss_union' } },
    } as unknown as Stripe.Tax.RegistrationCreateParams);
    await sdk.subscriptions.update(subscriptionId, { automatic_tax: { enabled: true } });
    await use(1_000_000n);
    const { id, automatic_tax } = await draft();
    expect(automatic_tax).toMatchObject({ enabled: true, status: 'requires_location_inputs' });
    await expect(finalize(id)).rejects.toMatchObject({ code: 'customer_tax_location_invalid' });
    await sdk.customers.update(customer, { address: { country: 'DE' } });
    expect(await sdk.invoices.retrieve(id)).toMatchObject({
      total: 357,
      automatic_tax: { status: 'complete' },
    });
    // Under the same key the refusal is repeated; under another it is finalized.
    expect(await sdk.invoices.finalizeInvoice(id, {}, { idempotencyKey: 'second' })).toMatchObject({
      status: 'paid',
      total: 357,
      customer_address: null,
    });
  });

  test('that cannot be told leaves a draft of paused collection one, too, whatever it should become', async () => {
    const { sdk, subscriptionId } = await open({
      scenarioLives: { 0: { pause: { fromDay: 1, behavior: 'void' } } },
    });
    await sdk.subscriptions.update(subscriptionId, { automatic_tax: { enabled: true } });
    await use(1_000_000n);
    expect(await draft()).toMatchObject({
      status: 'draft',
      last_finalization_error: { code: 'customer_tax_location_invalid' },
    });
  });

  test('that cannot be told leaves the draft to people when Stripe would finalize it', async () => {
    const { sdk, subscriptionId } = await open();
    await sdk.subscriptions.update(subscriptionId, { automatic_tax: { enabled: true } });
    await use(1_000_000n);
    const { id } = await draft();
    world.goTo(FIRST_END_MS + 49 * HOUR_MS);
    expect(await sdk.invoices.retrieve(id)).toMatchObject({
      status: 'draft',
      auto_advance: false,
      automatically_finalizes_at: null,
      last_finalization_error: { code: 'customer_tax_location_invalid' },
    });
    const events = await sdk.events.list({ type: 'invoice.finalization_failed' });
    expect(events.data).toHaveLength(1);
  });

  test('by Stripe Tax takes no item below zero, with rates of its own, or of a behavior nobody said', async () => {
    const { sdk, subscriptionId, id: customer } = await open();
    const rate = await sdk.taxRates.create({ display_name: 'VAT', percentage: 19, inclusive: false });
    await sdk.subscriptions.update(subscriptionId, { automatic_tax: { enabled: true } });
    await use(1_000_000n);
    const { id: invoice } = await draft();
    const add = (more: Partial<Stripe.InvoiceItemCreateParams>) =>
      sdk.invoiceItems.create({ customer, invoice, currency: 'usd', amount: 500, ...more });
    await expect(add({})).rejects.toThrow(/no tax behavior/);
    await expect(add({ tax_rates: [rate.id] })).rejects.toThrow(/tax rates of its own/);
    await expect(add({ amount: -5, tax_behavior: 'exclusive' })).rejects.toThrow(/negative/);
    await expect(add({ tax_behavior: 'exclusive' })).resolves.toMatchObject({ amount: 500 });
    await sdk.tax.settings.update({ defaults: { tax_behavior: 'inferred_by_currency' } });
    await expect(add({})).resolves.toMatchObject({ amount: 500 });
  });
});

describe('a credit note', () => {
  async function finalWithTax(paid: boolean): Promise<Stripe.Invoice> {
    const { sdk, subscriptionId, id: customer } = await open();
    const vat = await sdk.taxRates.create({ display_name: 'VAT', percentage: 19, inclusive: false });
    await sdk.subscriptions.update(subscriptionId, {
      default_tax_rates: [vat.id],
      default_payment_method: '',
    });
    const method = paid ? 'pm_card_visa' : '';
    await sdk.customers.update(customer, { invoice_settings: { default_payment_method: method } });
    await use(1_000_000n);
    const { id } = await draft();
    return sdk.invoices.finalizeInvoice(id, { auto_advance: paid });
  }
  const lineOf = (invoice: Stripe.Invoice) => invoice.lines.data.find((line) => line.amount > 0)?.id ?? '';
  const lines = (invoice_line_item: string, amount: number) => [
    { type: 'invoice_line_item' as const, invoice_line_item, amount },
  ];

  test('of a paid invoice must say where its tax goes too', async () => {
    const invoice = await finalWithTax(true);
    const { sdk, id: customer } = world;
    expect(invoice).toMatchObject({ status: 'paid', total: 357 });
    const note = { invoice: invoice.id, lines: lines(lineOf(invoice), 100) };
    const preview = await sdk.creditNotes.preview(note);
    expect(preview).toMatchObject({
      subtotal: 100,
      total_excluding_tax: 100,
      amount: 119,
      total: 119,
      post_payment_amount: 119,
      pre_payment_amount: 0,
      total_taxes: [{ amount: 19, tax_behavior: 'exclusive', taxable_amount: 100 }],
      lines: { data: [{ amount: 100, taxes: [{ amount: 19 }] }] },
    });
    await expect(sdk.creditNotes.create({ ...note, credit_amount: 100 })).rejects.toThrow(/must be 119/);
    await expect(sdk.creditNotes.create({ ...note, amount: 100, credit_amount: 119 })).rejects.toThrow(
      /to 119/,
    );
    await sdk.creditNotes.create({ ...note, amount: 119, credit_amount: 19, refund_amount: 100 });
    expect(await sdk.customers.retrieve(customer)).toMatchObject({ balance: -19 });
    expect(await sdk.creditNotes.list({ invoice: invoice.id })).toMatchObject({
      data: [{ type: 'post_payment', refunds: [{ amount_refunded: 100 }] }],
    });
  });

  test('of an open one lowers what is owed, and its parts add up to the line to the cent', async () => {
    const invoice = await finalWithTax(false);
    const { sdk } = world;
    const line = lineOf(invoice);
    const amounts = [101, 99, 100];
    const notes = [];
    for (const amount of amounts) {
      notes.push(await sdk.creditNotes.create({ invoice: invoice.id, lines: lines(line, amount) }));
    }
    expect(notes.map((note) => note.total).reduce((total, amount) => total + amount, 0)).toBe(357);
    expect(await sdk.invoices.retrieve(invoice.id)).toMatchObject({
      status: 'paid',
      amount_remaining: 0,
      pre_payment_credit_notes_amount: 357,
    });
    await expect(sdk.creditNotes.preview({ invoice: invoice.id, lines: lines(line, 1) })).rejects.toThrow(
      /At most 0/,
    );
  });
});
