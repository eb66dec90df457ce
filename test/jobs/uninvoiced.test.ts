import { afterEach, describe, expect, it } from 'vitest';
import { placeUsage } from '../../jobs/close/place-usage.ts';
import { METRIC_NAMES } from '../../sandbox/traffic/row.ts';
import { decideCredit, listCreditProposals } from '../../src/billing/credits.ts';
import { planLateItems } from '../../src/billing/late-items.ts';
import { chooseForInvoice } from '../../src/billing/uninvoiced/choices.ts';
import { decideUninvoiced, listUninvoiced } from '../../src/billing/uninvoiced/desk.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { call, callersOf, closeOf, openClosing, runUntil } from '../setup/closing.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { openPipelineReads } from '../setup/pipeline-api.ts';
import { dimensions, makeCall, makeRow } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const prompt = (hour: number, count: number) => makeCall({ hour, minute: 5, prompt: count, completion: 0 });

async function northwind() {
  const customers = (await pipeline.account.customers.list({ limit: 100 })).data;
  const customer = customers.find((candidate) => candidate.metadata.tenant_id === 'northwind');
  const subscriptions = await pipeline.account.subscriptions.list({ customer: customer?.id ?? '' });
  const subscription = subscriptions.data[0];
  if (customer === undefined || subscription === undefined) throw new Error('the world has changed');
  return { customerId: customer.id, subscription };
}

/** 1,000 tokens are on Stripe's meter, and wait for their invoice. */
async function deliver(): Promise<void> {
  pipeline = await openPipeline();
  await pipeline.run('sync-catalog');
  pipeline.traffic.inject(prompt(1, 1_000));
  for (let round = 0; round < 3; round += 1) await pipeline.tick(2);
  expect(await balance(pipeline)).toMatchObject({
    delivered: 1_000n,
    invoiced: 0n,
    invoicedOutside: 0n,
    awaiting: 1_000n,
    uninvoiced: 0n,
    drift: 0n,
  });
}

async function settle(): Promise<void> {
  for (let round = 0; round < 3; round += 1) await pipeline.tick(2);
}

describe('usage that was delivered, and that no invoice will ever have', () => {
  it('of a subscription cancelled without invoice_now is uninvoiced, and not billed', async () => {
    await deliver();
    const { subscription } = await northwind();
    await pipeline.account.subscriptions.cancel(subscription.id);
    await settle();
    expect(await balance(pipeline)).toMatchObject({
      invoiced: 0n,
      awaiting: 0n,
      uninvoiced: 1_000n,
      uninvoicedByReason: { subscription_cancelled: 1_000n },
      quarantined: 0n,
      drift: 0n,
    });
  });

  it('of a deleted customer is uninvoiced', async () => {
    await deliver();
    await pipeline.account.customers.del((await northwind()).customerId);
    await settle();
    expect(await balance(pipeline)).toMatchObject({
      invoiced: 0n,
      awaiting: 0n,
      uninvoicedByReason: { customer_deleted: 1_000n },
      drift: 0n,
    });
  });

  it('of a subscription that goes on waits for its invoice, and is invoiced once that is final', async () => {
    await deliver();
    pipeline.advance(24 * 31);
    await settle();
    await settle();
    expect(await balance(pipeline)).toMatchObject({
      invoiced: 1_000n,
      invoicedOutside: 1_000n,
      awaiting: 0n,
      uninvoiced: 0n,
      drift: 0n,
    });
  });
});

const groups = () => listUninvoiced(pipeline.deps.database, {}, { afterId: 0n, limit: 100 });

/** A second subscription of the same customer at the same prices, as one has who comes back. */
async function comeBack(): Promise<void> {
  const { customerId, subscription } = await northwind();
  const items = await pipeline.account.subscriptionItems.list({ subscription: subscription.id, limit: 100 });
  await pipeline.account.subscriptions.cancel(subscription.id);
  await settle();
  await pipeline.account.subscriptions.create({
    customer: customerId,
    items: items.data.map((item) => ({ price: item.price.id })),
  });
  await settle();
}

describe('uninvoiced usage', () => {
  it('is on the next invoice of the customer, as one item at the price of then, and is invoiced with it', async () => {
    pipeline = await openPipeline({ settings: { closesInvoices: true } });
    await pipeline.run('sync-catalog');
    pipeline.traffic.inject(prompt(1, 1_000_000));
    await settle();
    await comeBack();
    expect(await balance(pipeline)).toMatchObject({ uninvoiced: 1_000_000n, invoiced: 0n, drift: 0n });
    // Its first period ends after a month.
    pipeline.advance(24 * 30 + 8);
    for (let hour = 0; hour < 26; hour += 1) await pipeline.tick(1);
    expect((await groups()).map(({ state, tokenCount }) => [state, tokenCount])).toEqual([
      ['taken_up', 1_000_000n],
    ]);
    const items = await pipeline.deps.database
      .selectFrom('late_items')
      .select(['state', 'token_count', 'period_end'])
      .execute();
    expect(items).toMatchObject([{ state: 'invoiced', token_count: 1_000_000n }]);
    expect(await balance(pipeline)).toMatchObject({
      invoiced: 1_000_000n,
      invoicedOutside: 1_000_000n,
      uninvoiced: 0n,
      drift: 0n,
    });
  });

  it('is given up or taken up, whoever is faster, and never both', async () => {
    await deliver();
    const { subscription } = await northwind();
    await pipeline.account.subscriptions.cancel(subscription.id);
    await settle();
    const { database, clock } = pipeline.deps;
    const [group] = await groups();
    if (group === undefined) throw new Error('nothing is uninvoiced');
    const by = { actor: 'test', now: clock.now() };
    const { uninvoicedId } = group;
    await database
      .insertInto('invoices')
      .values({
        invoice_id: 'in_next',
        customer_id: 'northwind',
        subscription_id: 'sub_next',
        status: 'draft',
        currency: 'usd',
        total_minor: 0n,
        period_start: by.now,
        period_end: new Date(by.now.getTime() + 1),
        synced_at: by.now,
      })
      .execute();
    const draft = {
      invoiceId: 'in_next',
      customerId: 'northwind',
      subscriptionId: 'sub_next',
      currency: 'usd',
    };
    const outcomes = await Promise.allSettled([
      planLateItems(database, { ...draft, now: by.now }),
      database
        .transaction()
        .execute((transaction) =>
          decideUninvoiced(transaction, { uninvoicedId, state: 'written_off', reason: 'test', ...by }),
        ),
      planLateItems(database, { ...draft, now: by.now }),
    ]);
    const planned = outcomes.flatMap((one) => (one.status === 'fulfilled' && one.value === 1 ? [1] : []));
    const [after] = await groups();
    expect(after?.state).toBe(planned.length === 1 ? 'taken_up' : 'written_off');
    expect(await balance(pipeline)).toMatchObject({
      due: planned.length === 1 ? 1_000n : 0n,
      writtenOff: planned.length === 1 ? 0n : 1_000n,
      uninvoiced: 0n,
      drift: 0n,
    });
    const again = database
      .transaction()
      .execute((transaction) =>
        decideUninvoiced(transaction, { uninvoicedId, state: 'written_off', reason: 'test', ...by }),
      );
    if (planned.length === 1) await expect(again).rejects.toMatchObject({ code: 'CONFLICT' });
    else expect((await again).state).toBe('written_off');
    await expect(
      database
        .transaction()
        .execute((transaction) =>
          decideUninvoiced(transaction, { uninvoicedId, state: 'due_again', reason: 'test', ...by }),
        ),
    ).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('is found once by two runs at the same time, and by one that goes on after another', async () => {
    await deliver();
    const { subscription } = await northwind();
    await pipeline.account.subscriptions.cancel(subscription.id);
    pipeline.advance(2);
    await pipeline.run('fetch-missed-events', 'refresh-catalog');
    await Promise.all([placeUsage(pipeline.deps), placeUsage(pipeline.deps)]);
    await placeUsage(pipeline.deps);
    expect((await groups()).map(({ tokenCount }) => tokenCount)).toEqual([1_000n]);
    expect(await balance(pipeline)).toMatchObject({ uninvoiced: 1_000n, awaiting: 0n, drift: 0n });
  });
});

describe('the usage of an invoice that was taken back', () => {
  /** The first customer's invoice of 5,000 tokens, closed. */
  async function closed({ isPaid = false } = {}): Promise<string> {
    pipeline = await openClosing();
    if (!isPaid) {
      const { customerId, subscription } = await northwind();
      await pipeline.account.subscriptions.update(subscription.id, { default_payment_method: '' });
      await pipeline.account.customers.update(customerId, {
        invoice_settings: { default_payment_method: '' },
      });
    }
    const caller = callersOf(pipeline)[0];
    call(pipeline, caller, { hour: 3, prompt: 5_000_000, completion: 0 });
    await runUntil(pipeline, 0, 12 * 60);
    await runUntil(pipeline, 4, 60);
    expect(await balance(pipeline)).toMatchObject({ invoiced: 5_000_000n, invoicedOutside: 5_000_000n });
    return (await closeOf(pipeline, caller?.customerId)).close.invoiceId;
  }
  const choose = (invoiceId: string, choice: 'invoiced' | 'due_again' | 'written_off') =>
    pipeline.deps.database.transaction().execute((transaction) =>
      chooseForInvoice(transaction, {
        invoiceId,
        choice,
        reason: 'test',
        actor: 'test',
        now: pipeline.clock.now(),
      }),
    );

  it('by voiding it waits for a person, who says once that it is given up', async () => {
    const invoiceId = await closed();
    await pipeline.account.invoices.voidInvoice(invoiceId);
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({
      invoiced: 0n,
      invoicedOutside: 0n,
      uninvoicedByReason: { invoice_voided: 5_000_000n },
      drift: 0n,
    });
    const read = await openPipelineReads(pipeline);
    const said = async () => [
      (await read<{ usageChoice: string | null }>(`/v1/statements/${invoiceId}`)).usageChoice,
      (await read<{ usageChoice: object | null }>(`/v1/closes/${invoiceId}/certificate`)).usageChoice,
    ];
    expect(await said()).toEqual([null, null]);
    await choose(invoiceId, 'written_off');
    await choose(invoiceId, 'written_off');
    expect(await said()).toMatchObject(['written_off', { choice: 'written_off', decidedReason: 'test' }]);
    await expect(choose(invoiceId, 'due_again')).rejects.toMatchObject({ code: 'CONFLICT' });
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ writtenOff: 5_000_000n, uninvoiced: 0n, drift: 0n });
  });

  it('by voiding is on the next invoice where a person says so, and waits again where that is voided, too', async () => {
    const invoiceId = await closed();
    await pipeline.account.invoices.voidInvoice(invoiceId);
    await pipeline.tick(1);
    await choose(invoiceId, 'due_again');
    pipeline.advanceTo(Date.UTC(2026, 10, 2, 11));
    for (let hour = 0; hour < 7; hour += 1) await pipeline.tick(1);
    const total = await balance(pipeline);
    expect(total).toMatchObject({
      invoiced: 5_000_000n,
      invoicedOutside: 5_000_000n,
      uninvoiced: 0n,
      drift: 0n,
    });
    const item = await pipeline.deps.database
      .selectFrom('late_items')
      .select(['invoice_id', 'state'])
      .executeTakeFirstOrThrow();
    expect(item.state).toBe('invoiced');
    await pipeline.account.invoices.voidInvoice(item.invoice_id);
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({
      invoiced: 0n,
      uninvoicedByReason: { invoice_voided: 5_000_000n },
      drift: 0n,
    });
    await choose(item.invoice_id, 'invoiced');
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ invoiced: 5_000_000n, uninvoiced: 0n, drift: 0n });
  });

  it('by a credit note for all of it waits, and a part gives back no usage', async () => {
    const invoiceId = await closed({ isPaid: true });
    const { total } = await pipeline.account.invoices.retrieve(invoiceId);
    await pipeline.account.creditNotes.create({ invoice: invoiceId, amount: 1, credit_amount: 1 });
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ invoiced: 5_000_000n, uninvoiced: 0n });
    await pipeline.account.creditNotes.create({
      invoice: invoiceId,
      amount: total - 1,
      credit_amount: total - 1,
    });
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({
      invoiced: 0n,
      invoicedOutside: 0n,
      uninvoicedByReason: { invoice_credited: 5_000_000n },
      drift: 0n,
    });
    await choose(invoiceId, 'invoiced');
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ invoiced: 5_000_000n, uninvoiced: 0n, drift: 0n });
  });

  it('by our own credit for what was never used is no usage without an invoice', async () => {
    const invoiceId = await closed({ isPaid: true });
    const { database, clock } = pipeline.deps;
    const caller = callersOf(pipeline)[0];
    // All of it was cached, which is told late: nothing was used at the full price.
    pipeline.traffic.inject([
      makeRow({
        metricName: METRIC_NAMES.cachedPrompt,
        sum: 5_000_000,
        max: 5_000_000,
        eventMs: START_MS + 3 * HOUR_MS + 60_000,
        ingestedMs: clock.now().getTime(),
        properties: dimensions({ userId: caller?.userId, tenantId: caller?.customerId }),
      }),
    ]);
    for (let round = 0; round < 4; round += 1) await pipeline.tick(2);
    const [proposal] = await listCreditProposals(database, { afterId: 0n, limit: 10 });
    expect(proposal).toMatchObject({ invoiceId, tokenCount: 5_000_000n });
    await database.transaction().execute((transaction) =>
      decideCredit(transaction, {
        creditProposalId: proposal?.creditProposalId ?? 0n,
        state: 'approved',
        reason: null,
        actor: 'test',
        now: clock.now(),
      }),
    );
    for (let round = 0; round < 3; round += 1) await pipeline.tick(1);
    const { total, post_payment_credit_notes_amount: credited } =
      await pipeline.account.invoices.retrieve(invoiceId);
    expect(credited).toBe(total);
    expect(await balance(pipeline)).toMatchObject({ uninvoiced: 0n, drift: 0n });
  });

  it('that is uncollectible stays invoiced, unless a person says otherwise', async () => {
    const invoiceId = await closed();
    await expect(choose(invoiceId, 'written_off')).rejects.toMatchObject({ code: 'CONFLICT' });
    await pipeline.account.invoices.markUncollectible(invoiceId);
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ invoiced: 5_000_000n, uninvoiced: 0n, drift: 0n });
    await choose(invoiceId, 'written_off');
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ invoiced: 0n, writtenOff: 5_000_000n, drift: 0n });
  });
});
