import { afterEach, expect, it } from 'vitest';
import { call, callersOf, closeOf, openClosing, runUntil, states } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import { balance, type Pipeline } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** Usage of two customers, whose drafts are claimed and wait for their last hour; then a person acts on the first. */
async function openHalfWay(options: Parameters<typeof openClosing>[0] = {}) {
  pipeline = await openClosing({
    ...options,
    scenario: { customerCount: 2, userCount: 2, ...options.scenario },
  });
  const [caller, other] = callersOf(pipeline);
  for (const one of callersOf(pipeline)) call(pipeline, one, { hour: 3, prompt: 1_000_000, completion: 0 });
  call(pipeline, caller, { hour: 35, prompt: 500_000, completion: 0 });
  await runUntil(pipeline, 1, 6 * 60);
  const { close } = await closeOf(pipeline, caller?.customerId);
  expect(close.endedAt).toBeNull();
  const subscription = await pipeline.account.subscriptions.retrieve(close.subscriptionId);
  return { caller, other, close, subscription };
}

async function invoiceOf(invoiceId: string) {
  return pipeline.stripe.invoiceReport().find((invoice) => invoice.invoiceId === invoiceId);
}

const tokensOf = (invoice: Awaited<ReturnType<typeof invoiceOf>>) =>
  (invoice?.lines ?? []).reduce((sum, line) => sum + Number(line.quantity), 0);

describeForBothDrafts('half-way through a close', () => {
  it('a subscription that is cancelled keeps the invoice of its last period, proven and certified', async () => {
    const { close, subscription } = await openHalfWay();
    await pipeline.account.subscriptions.cancel(subscription.id);
    await runUntil(pipeline, 4, 30);
    expect(Object.values(await states(pipeline))).toEqual(['finalized', 'finalized']);
    expect(tokensOf(await invoiceOf(close.invoiceId))).toBe(1_500_000);
    expect(await balance(pipeline)).toMatchObject({ billed: 2_500_000n, due: 0n, drift: 0n });
  });

  it('a subscription that is merged into another one is billed once for each of its periods', async () => {
    const { caller, close, subscription } = await openHalfWay();
    const { account } = pipeline;
    await account.subscriptions.cancel(subscription.id);
    const merged = await account.subscriptions.create({
      customer: String(subscription.customer),
      items: subscription.items.data.slice(0, 20).map(({ price }) => ({ price: price.id })),
    });
    call(pipeline, caller, { hour: 38, prompt: 70_000, completion: 0 });
    await runUntil(pipeline, 6, 30);
    expect(Object.values(await states(pipeline))).toEqual(['finalized', 'finalized']);
    expect(tokensOf(await invoiceOf(close.invoiceId))).toBe(1_500_000);
    const total = await balance(pipeline);
    expect(total).toMatchObject({ due: 0n, drift: 0n });
    // What was used after the end and before the other one began is on no item; what came after is on the new one.
    expect(total.billed + total.quarantined).toBe(2_570_000n);
    await account.subscriptions.cancel(merged.id, { invoice_now: true });
    await runUntil(pipeline, 10, 60);
    const billed = pipeline.stripe
      .invoiceReport()
      .filter(({ customer }) => customer === caller?.customerId)
      .reduce((sum, invoice) => sum + tokensOf(invoice), 0);
    expect(BigInt(billed)).toBe(1_570_000n - (await balance(pipeline)).quarantined);
  });

  it('an item that is moved to another subscription leaves its old line where it was used', async () => {
    const { caller, close, subscription } = await openHalfWay();
    const { account } = pipeline;
    const item = subscription.items.data.find(
      ({ price: { metadata } }) =>
        metadata.tallystick_model === 'gpt-4o' && metadata.tallystick_token_type === 'prompt',
    );
    if (item === undefined) throw new Error('the world has changed');
    await account.subscriptionItems.del(item.id);
    await account.subscriptions.create({
      customer: String(subscription.customer),
      items: [{ price: item.price.id }],
    });
    call(pipeline, caller, { hour: 40, prompt: 70_000, completion: 0 });
    await runUntil(pipeline, 8, 30);
    expect(Object.values(await states(pipeline))).toEqual(['finalized', 'finalized']);
    expect(tokensOf(await invoiceOf(close.invoiceId))).toBe(1_500_000);
    expect(await balance(pipeline)).toMatchObject({
      billed: 2_570_000n,
      due: 0n,
      quarantined: 0n,
      drift: 0n,
    });
  });

  it('a customer who is deleted stops no other close, and nothing of his usage is lost from sight', async () => {
    const { close, other, subscription } = await openHalfWay();
    await pipeline.account.customers.del(String(subscription.customer));
    await runUntil(pipeline, 30, 60);
    expect((await closeOf(pipeline, other?.customerId)).close.state).toBe('finalized');
    expect((await closeOf(pipeline, close.customerId)).close.endedAt).not.toBeNull();
    const { billed, due, quarantined, collected } = await balance(pipeline);
    expect(billed + due + quarantined).toBe(collected);
  });
});

describeForBothDrafts('an invoice that is voided while its certificate is being written', () => {
  it('before it was: ends as void, without a certificate that says it was billed', async () => {
    const { close } = await openHalfWay({ scenario: { lives: { 0: { withoutPaymentMethod: true } } } });
    const { deps, account } = pipeline;
    const { invoicing } = deps;
    pipeline.deps.invoicing = {
      ...invoicing,
      finalizeInvoice: async (invoiceId, options, signal) => {
        const outcome = await invoicing.finalizeInvoice(invoiceId, options, signal);
        if (invoiceId === close.invoiceId) await account.invoices.voidInvoice(invoiceId);
        // The answer is lost, so that the certificate is written from what Stripe shows later.
        return typeof outcome === 'object' ? { invoice: null } : outcome;
      },
    };
    await runUntil(pipeline, 4, 30);
    const after = await closeOf(pipeline, close.customerId);
    expect(after.close).toMatchObject({ state: 'voided', certificateSha256: null });
    expect((await invoiceOf(close.invoiceId))?.status).toBe('void');
  });

  it('after it was read: the certificate is of what was final, and the ledger learns of the rest', async () => {
    const { close } = await openHalfWay({ scenario: { lives: { 0: { withoutPaymentMethod: true } } } });
    const { deps, account } = pipeline;
    const { invoicing } = deps;
    pipeline.deps.invoicing = {
      ...invoicing,
      finalizeInvoice: async (invoiceId, options, signal) => {
        const outcome = await invoicing.finalizeInvoice(invoiceId, options, signal);
        if (invoiceId === close.invoiceId) await account.invoices.voidInvoice(invoiceId);
        return outcome;
      },
    };
    await runUntil(pipeline, 4, 30);
    const after = await closeOf(pipeline, close.customerId);
    expect(['finalized', 'voided']).toContain(after.close.state);
    const stored = await deps.database
      .selectFrom('invoices')
      .select('status')
      .where('invoice_id', '=', close.invoiceId)
      .executeTakeFirstOrThrow();
    expect(stored.status).toBe('void');
  });
});
