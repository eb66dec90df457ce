import { afterEach, describe, expect, it } from 'vitest';
import { METRIC_NAMES } from '../../sandbox/traffic/row.ts';
import { decideCredit, listCreditProposals } from '../../src/billing/credits.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import type { PaidPart } from '../../src/stripe/closing/port.ts';
import { call, callersOf, closeOf, openClosing, runUntil } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import { type Pipeline, START_MS } from '../setup/pipeline.ts';
import { dimensions, makeRow } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

interface Setting {
  customerId: string;
  subscriptionId: string;
}

/**
 * A final invoice of 5.40 USD (a million prompt tokens at 3.00, 200,000 completion tokens at 12.00) with what `prepare`
 * has set up, and a correction of 400,000 prompt tokens: 1.20 too much.
 */
async function overcharge(prepare: (setting: Setting) => Promise<unknown>) {
  pipeline = await openClosing();
  const [caller] = callersOf(pipeline);
  call(pipeline, caller, { hour: 3, prompt: 1_000_000, completion: 200_000 });
  await runUntil(pipeline, 0, 18 * 60);
  const { account } = pipeline;
  const subscriptions = await account.subscriptions.list({ limit: 100, expand: ['data.customer'] });
  const own = subscriptions.data.find(
    ({ customer }) =>
      typeof customer === 'object' &&
      'metadata' in customer &&
      customer.metadata.tenant_id === caller?.customerId,
  );
  const customerId =
    own === undefined ? '' : typeof own.customer === 'string' ? own.customer : own.customer.id;
  const [draft] = (await account.invoices.list({ customer: customerId, limit: 1 })).data;
  await prepare({ customerId, subscriptionId: own?.id ?? '' });
  await runUntil(pipeline, 3, 60);
  pipeline.traffic.inject([
    makeRow({
      metricName: METRIC_NAMES.cachedPrompt,
      sum: 400_000,
      max: 400_000,
      eventMs: START_MS + 3 * HOUR_MS + 60_000,
      ingestedMs: START_MS + 40 * HOUR_MS,
      properties: dimensions({ userId: caller?.userId, tenantId: caller?.customerId }),
    }),
  ]);
  await runUntil(pipeline, 7, 60);
  const { close } = await closeOf(pipeline, caller?.customerId);
  expect(close.state).toBe('finalized');
  expect(draft?.id === undefined || draft.id === close.invoiceId).toBe(true);
  return { customerId, invoiceId: close.invoiceId };
}

async function approve(paidPart?: PaidPart) {
  const { database, clock } = pipeline.deps;
  const proposal = await proposed();
  const { creditProposalId } = proposal;
  const decision = {
    creditProposalId,
    state: 'approved' as const,
    reason: null,
    actor: 'test',
    now: clock.now(),
  };
  await database.transaction().execute((transaction) => decideCredit(transaction, { ...decision, paidPart }));
  await pipeline.tick(0.5);
  return await proposed();
}

async function proposed() {
  const [proposal] = await listCreditProposals(pipeline.deps.database, { afterId: 0n, limit: 10 });
  if (proposal === undefined) throw new Error('nothing was proposed');
  return proposal;
}

const notesOf = async (invoiceId: string) =>
  (await pipeline.account.creditNotes.list({ invoice: invoiceId })).data;
const balanceOf = async (customerId: string) => {
  const customer = await pipeline.account.customers.retrieve(customerId);
  return 'balance' in customer ? customer.balance : null;
};
const exclusiveTax = async ({ subscriptionId }: Setting) => {
  const { account } = pipeline;
  const vat = await account.taxRates.create({ display_name: 'VAT', percentage: 19, inclusive: false });
  const [draft] = (await account.invoices.list({ subscription: subscriptionId, limit: 1 })).data;
  await account.subscriptions.update(subscriptionId, { default_tax_rates: [vat.id] });
  if (draft?.status === 'draft') await account.invoices.update(draft.id, { default_tax_rates: [vat.id] });
};
/** Set before the period's draft is there, or on it. */
const discount = async ({ subscriptionId }: Setting, percent_off: number) => {
  const { account } = pipeline;
  const { id: coupon } = await account.coupons.create({ percent_off, duration: 'forever', name: 'Half' });
  const [draft] = (await account.invoices.list({ subscription: subscriptionId, limit: 1 })).data;
  await account.subscriptions.update(subscriptionId, { discounts: [{ coupon }] });
  if (draft?.status === 'draft') await account.invoices.update(draft.id, { discounts: [{ coupon }] });
};

describeForBothDrafts('a credit', () => {
  it('of a paid invoice with exclusive tax gives the tax back too', async () => {
    const { customerId, invoiceId } = await overcharge(exclusiveTax);
    expect(await pipeline.account.invoices.retrieve(invoiceId)).toMatchObject({ status: 'paid', total: 643 });
    expect(await approve()).toMatchObject({ state: 'created', amountMinor: 120n, creditedMinor: 143n });
    expect(await notesOf(invoiceId)).toMatchObject([{ subtotal: 120, total: 143, post_payment_amount: 143 }]);
    expect(await balanceOf(customerId)).toBe(-143);
  });

  it('of a price with Stripe’s tax in it takes that price off, tax included', async () => {
    const { invoiceId } = await overcharge(async ({ customerId, subscriptionId }) => {
      const { account } = pipeline;
      await account.tax.settings.update({ defaults: { tax_behavior: 'inclusive' } });
      await account.tax.registrations.create({
        country: 'DE',
        active_from: 'now',
        country_options: { de: { type: 'standard' } },
      });
      await account.customers.update(customerId, { address: { country: 'DE' } });
      const [draft] = (await account.invoices.list({ subscription: subscriptionId, limit: 1 })).data;
      await account.subscriptions.update(subscriptionId, { automatic_tax: { enabled: true } });
      if (draft?.status === 'draft')
        await account.invoices.update(draft.id, { automatic_tax: { enabled: true } });
    });
    expect(await pipeline.account.invoices.retrieve(invoiceId)).toMatchObject({
      total: 540,
      total_excluding_tax: 454,
    });
    expect(await approve()).toMatchObject({ state: 'created', creditedMinor: 120n });
    expect(await notesOf(invoiceId)).toMatchObject([{ lines: { data: [{ amount: 120 }] }, total: 120 }]);
  });

  it('of what billing credits paid is no credit note, and says what it takes', async () => {
    const { invoiceId } = await overcharge(({ customerId: customer }) =>
      pipeline.account.billing.creditGrants.create({
        customer,
        amount: { type: 'monetary', monetary: { currency: 'usd', value: 10_000 } },
        applicability_config: { scope: { price_type: 'metered' } },
      }),
    );
    expect(await pipeline.account.invoices.retrieve(invoiceId)).toMatchObject({ subtotal: 540, total: 0 });
    const returned = await approve();
    expect(returned).toMatchObject({ state: 'proposed', creditableMinor: 0n });
    expect(returned.lastError).toMatch(/new credit grant/);
  });
});

describe('a credit, whatever the draft was like,', () => {
  it('goes back by refund, or is paid elsewhere, where a person says so', async () => {
    const { customerId, invoiceId } = await overcharge(exclusiveTax);
    expect(await approve('refund')).toMatchObject({ state: 'created', paidPart: 'refund' });
    expect(await notesOf(invoiceId)).toMatchObject([{ refunds: [{ amount_refunded: 143 }] }]);
    expect(await balanceOf(customerId)).toBe(0);
  });

  it('of an invoice that the balance has paid in part refunds no more than was paid', async () => {
    const { customerId, invoiceId } = await overcharge(async (setting) => {
      await exclusiveTax(setting);
      await pipeline.account.customers.createBalanceTransaction(setting.customerId, {
        amount: -600,
        currency: 'usd',
      });
    });
    const { account } = pipeline;
    const invoice = await account.invoices.retrieve(invoiceId);
    expect(invoice).toMatchObject({ amount_paid: 43 });
    // Somebody gave back some of it already.
    const line = invoice.lines.data.find(({ amount }) => amount === 300)?.id ?? '';
    await account.creditNotes.create({
      invoice: invoiceId,
      lines: [{ type: 'invoice_line_item', invoice_line_item: line, amount: 17 }],
      refund_amount: 20,
    });
    expect(await approve('refund')).toMatchObject({ state: 'created', creditedMinor: 143n });
    const refunds = (await notesOf(invoiceId)).flatMap((note) => note.refunds);
    expect(refunds.map((refund) => refund.amount_refunded).sort()).toEqual([20, 23]);
    expect(await balanceOf(customerId)).toBe(-120);
  });

  it('of an open invoice lowers what is owed', async () => {
    const { customerId, invoiceId } = await overcharge(async (setting) => {
      await exclusiveTax(setting);
      const { account } = pipeline;
      await account.subscriptions.update(setting.subscriptionId, { default_payment_method: '' });
      await account.customers.update(setting.customerId, {
        invoice_settings: { default_payment_method: '' },
      });
    });
    expect(await approve()).toMatchObject({ state: 'created', creditedMinor: 143n });
    const invoice = await pipeline.account.invoices.retrieve(invoiceId);
    expect(invoice).toMatchObject({ status: 'open', total: 643, amount_remaining: 500 });
    expect(await balanceOf(customerId)).toBe(0);
  });

  it('of a discounted invoice gives back what was paid of it', async () => {
    const { invoiceId } = await overcharge((setting) => discount(setting, 50));
    expect(await approve()).toMatchObject({ state: 'created', amountMinor: 120n, creditedMinor: 60n });
    expect(await notesOf(invoiceId)).toMatchObject([{ subtotal: 120, discount_amount: 60, total: 60 }]);
  });

  it('that exceeds what is left is returned to a person, with the rest named', async () => {
    const { invoiceId } = await overcharge(exclusiveTax);
    const { account } = pipeline;
    const invoice = await account.invoices.retrieve(invoiceId);
    const line = invoice.lines.data.find(({ amount }) => amount === 300)?.id ?? '';
    await account.creditNotes.create({
      invoice: invoiceId,
      lines: [{ type: 'invoice_line_item', invoice_line_item: line, amount: 230 }],
      out_of_band_amount: 274,
    });
    const returned = await approve();
    expect(returned).toMatchObject({
      state: 'proposed',
      amountMinor: 120n,
      creditableMinor: 70n,
      decidedBy: null,
    });
    expect(returned.lastError).toMatch(/^Only 0\.70 USD of 1\.20 USD is left to credit: 0\.50 USD was/);
    expect(await notesOf(invoiceId)).toHaveLength(1);
    expect(await approve()).toMatchObject({ state: 'created', creditedMinor: 83n });
    expect((await notesOf(invoiceId)).map(({ total }) => total)).toEqual([83, 274]);
  });
});
