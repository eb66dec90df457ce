import { afterEach, describe, expect, it } from 'vitest';
import { readDoubleBindings } from '../../src/catalog/billing-places.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** Runs everything, until nothing is left to be done. */
async function settle(): Promise<void> {
  for (let round = 0; round < 3; round += 1) await pipeline.tick(2);
}

async function northwind() {
  const customers = (await pipeline.account.customers.list({ limit: 100 })).data;
  const customer = customers.find((candidate) => candidate.metadata.tenant_id === 'northwind');
  const subscriptions = await pipeline.account.subscriptions.list({ customer: customer?.id ?? '' });
  const subscription = subscriptions.data[0];
  if (customer === undefined || subscription === undefined) throw new Error('the world has changed');
  return { customerId: customer.id, subscription };
}

/** The item that prices a model's tokens, as Stripe has it. */
async function itemFor(model: string, tokenType: string) {
  const { subscription } = await northwind();
  const items = await pipeline.account.subscriptionItems.list({ subscription: subscription.id, limit: 100 });
  const item = items.data.find(
    ({ price }) =>
      price.metadata.tallystick_model === model && price.metadata.tallystick_token_type === tokenType,
  );
  if (item === undefined) throw new Error('no such item');
  return item;
}

/** Tokens on all invoices of the customer, by what Stripe itself says. */
async function invoiced(): Promise<number> {
  const { account } = pipeline;
  const invoices = await account.invoices.list({ customer: (await northwind()).customerId, limit: 100 });
  let tokens = 0;
  for (const invoice of invoices.data) {
    for await (const line of account.invoices.listLineItems(invoice.id)) tokens += line.quantity ?? 0;
  }
  return tokens;
}

const prompt = (hour: number, minute: number, count: number) =>
  makeCall({ hour, minute, prompt: count, completion: 0 });

describe('a subscription that is cancelled within its period', () => {
  it('bills what was used before on its last invoice, and holds what was used after', async () => {
    pipeline = await openPipeline({ gracePeriodHours: 24 });
    await pipeline.run('sync-catalog');
    pipeline.advance(10.5);
    const { customerId, subscription } = await northwind();
    await pipeline.account.subscriptions.cancel(subscription.id, { invoice_now: true });
    pipeline.traffic.inject([...prompt(10, 10, 1_000), ...prompt(10, 40, 300), ...prompt(11, 5, 20)].flat());
    await settle();
    const total = await balance(pipeline);
    expect(total).toMatchObject({ billed: 1_000n, due: 0n, drift: 0n });
    expect(total.byReason).toEqual({ no_subscription_item: 320n });
    pipeline.advance(30);
    const invoices = await pipeline.account.invoices.list({ customer: customerId, limit: 10 });
    const lines = invoices.data.flatMap((invoice) => invoice.lines.data);
    expect(lines.reduce((sum, line) => sum + (line.quantity ?? 0), 0)).toBe(1_000);
  });

  it('leaves usage whose last invoice is final to the next one', async () => {
    pipeline = await openPipeline({ gracePeriodHours: 1 });
    await pipeline.run('sync-catalog');
    pipeline.advance(10);
    const { subscription } = await northwind();
    await pipeline.account.subscriptions.cancel(subscription.id, { invoice_now: true });
    pipeline.advance(3);
    pipeline.traffic.inject(prompt(8, 0, 500));
    await settle();
    expect((await balance(pipeline)).byReason).toEqual({ carry_to_next_invoice: 500n });
  });

  it.each([
    ['refresh-catalog fails', 'refresh-catalog'],
    ['the list of events cannot be read', 'fetch-missed-events'],
  ] as const)('of which the catalog has not heard, as %s, keeps usage from being sent', async (_, step) => {
    pipeline = await openPipeline({ gracePeriodHours: 1 });
    await pipeline.tick(0);
    pipeline.advance(10);
    await pipeline.run('fetch-missed-events', 'refresh-catalog');
    const { subscription } = await northwind();
    await pipeline.account.subscriptions.cancel(subscription.id, { invoice_now: true });
    pipeline.advance(3);
    pipeline.traffic.inject(prompt(8, 0, 500));
    const failing = step === 'refresh-catalog' ? '/v1/subscriptions' : '/v1/events';
    pipeline.stripe.faults.add({ kind: 'fail', path: failing });
    for (const hours of [0, 1, 1]) {
      pipeline.advance(hours);
      if (step === 'refresh-catalog') await pipeline.run('fetch-missed-events');
      await expect(pipeline.run(step)).rejects.toThrow();
      if (step === 'fetch-missed-events') await pipeline.run('refresh-catalog');
      await pipeline.run('collect-usage', 'ingest-events', 'aggregate-usage', 'push-usage');
    }
    expect(pipeline.calls).not.toContain('POST /v1/billing/meter_events');
    expect(await balance(pipeline)).toMatchObject({ billed: 0n, due: 500n });
    pipeline.stripe.faults.clear();
    await settle();
    expect((await balance(pipeline)).byReason).toEqual({ carry_to_next_invoice: 500n });
  });

  it('that is foretold is believed when it comes, without a word from Stripe', async () => {
    pipeline = await openPipeline();
    await pipeline.run('sync-catalog');
    const { database } = pipeline.deps;
    const endsAt = new Date(START_MS + 5 * 3_600_000);
    await database.updateTable('subscription_items').set({ ends_at: endsAt }).execute();
    pipeline.traffic.inject([...prompt(4, 0, 70), ...prompt(6, 0, 7)]);
    for (let hour = 0; hour < 9; hour += 1) {
      pipeline.advance(1);
      await pipeline.run('collect-usage', 'ingest-events', 'aggregate-usage', 'push-usage');
    }
    expect(await balance(pipeline)).toMatchObject({ billed: 70n, byReason: { no_subscription_item: 7n } });
  });
});

describe('two active items on one meter of one customer', () => {
  it('are refused loudly: nothing is pushed to it until one is gone, and then everything once', async () => {
    pipeline = await openPipeline();
    await pipeline.run('sync-catalog');
    const item = await itemFor('gpt-4o', 'prompt');
    const { customerId } = await northwind();
    const second = await pipeline.account.subscriptions.create({
      customer: customerId,
      items: [{ price: item.price.id }],
    });
    const { 'sync-catalog': synced } = await pipeline.run('sync-catalog');
    expect(synced).toMatchObject({
      problems: [
        expect.stringContaining('Customer northwind would be billed 2 times for meter gpt_4o_prompt'),
      ],
    });
    pipeline.traffic.inject([...prompt(1, 0, 900), ...makeCall({ hour: 1, prompt: 0, completion: 50 })]);
    await settle();
    // Other meters of the customer go on.
    expect(await balance(pipeline)).toMatchObject({
      billed: 50n,
      due: 0n,
      byReason: { double_binding: 900n },
    });
    expect(await readDoubleBindings(pipeline.deps.database, pipeline.clock.now())).toMatchObject([
      { customerId: 'northwind', heldTokenCount: 900n, subscriptionItemIds: [item.id, expect.any(String)] },
    ]);
    await pipeline.account.subscriptions.cancel(second.id);
    await settle();
    expect(await balance(pipeline)).toMatchObject({ billed: 950n, quarantined: 0n, due: 0n, drift: 0n });
    expect(await readDoubleBindings(pipeline.deps.database, pipeline.clock.now())).toEqual([]);
    // To the end of the period and past its grace: each token is on one invoice line.
    pipeline.advance(24 * 31);
    await settle();
    expect(await invoiced()).toBe(950);
  });

  it('found between planning and sending take the push back', async () => {
    pipeline = await openPipeline();
    await pipeline.run('sync-catalog');
    pipeline.traffic.inject(prompt(0, 5, 40));
    pipeline.stripe.faults.add({ kind: 'fail', path: '/v1/billing/meter_events' });
    for (const hours of [1, 1]) {
      pipeline.advance(hours);
      await pipeline.run('collect-usage', 'ingest-events', 'aggregate-usage');
    }
    await expect(pipeline.run('push-usage')).rejects.toThrow();
    pipeline.stripe.faults.clear();
    const item = await itemFor('gpt-4o', 'prompt');
    const { customerId } = await northwind();
    await pipeline.account.subscriptions.create({ customer: customerId, items: [{ price: item.price.id }] });
    await pipeline.run('sync-catalog');
    for (let round = 0; round < 4; round += 1) {
      pipeline.advance(1);
      await pipeline.run('sync-catalog', 'push-usage');
    }
    // The second subscription began after the usage: it would not be on that one's invoice.
    expect(await balance(pipeline)).toMatchObject({ billed: 40n, drift: 0n });
  });

  it('one of which ends before the other begins are no double', async () => {
    pipeline = await openPipeline({ gracePeriodHours: 24 });
    await pipeline.run('sync-catalog');
    const item = await itemFor('gpt-4o', 'prompt');
    const { customerId, subscription } = await northwind();
    pipeline.advance(10);
    await pipeline.account.subscriptions.cancel(subscription.id, { invoice_now: true });
    await pipeline.account.subscriptions.create({ customer: customerId, items: [{ price: item.price.id }] });
    pipeline.traffic.inject([...prompt(9, 0, 200), ...prompt(11, 0, 30)]);
    await settle();
    expect(await balance(pipeline)).toMatchObject({ billed: 230n, quarantined: 0n, due: 0n, drift: 0n });
    pipeline.advance(24 * 33);
    expect(await invoiced()).toBe(230);
  });
});

describe('a new price within the period', () => {
  it('on the same meter bills each token once, at the old price or the new one', async () => {
    pipeline = await openPipeline();
    await pipeline.run('sync-catalog');
    pipeline.traffic.inject([...prompt(1, 0, 600), ...prompt(12, 0, 50)]);
    await settle();
    pipeline.advance(4);
    const item = await itemFor('gpt-4o', 'prompt');
    const price = await pipeline.account.prices.create({
      product: String(item.price.product),
      currency: item.price.currency,
      unit_amount: 1,
      recurring: { interval: 'month', usage_type: 'metered', meter: item.price.recurring?.meter ?? '' },
      metadata: item.price.metadata,
    });
    const { subscription } = await northwind();
    await pipeline.account.subscriptions.update(subscription.id, {
      items: [{ id: item.id, price: price.id }],
    });
    await settle();
    await settle();
    expect(await balance(pipeline)).toMatchObject({ billed: 650n, due: 0n, quarantined: 0n });
    pipeline.advance(24 * 33);
    expect(await invoiced()).toBe(650);
    const row = await pipeline.deps.database
      .selectFrom('subscription_items')
      .select(['price_id', 'active'])
      .where('subscription_item_id', '=', item.id)
      .executeTakeFirstOrThrow();
    expect(row).toEqual({ price_id: price.id, active: true });
  });

  it('on another meter keeps the old one for usage of its time', async () => {
    pipeline = await openPipeline();
    await pipeline.run('sync-catalog');
    pipeline.advance(2);
    const item = await itemFor('gpt-4o', 'prompt');
    const meter = await pipeline.account.billing.meters.create({
      event_name: 'gpt_4o_prompt_v2',
      display_name: 'GPT-4o input, again',
      default_aggregation: { formula: 'sum' },
    });
    const price = await pipeline.account.prices.create({
      product: String(item.price.product),
      currency: item.price.currency,
      unit_amount: 1,
      recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
      metadata: item.price.metadata,
    });
    const { subscription } = await northwind();
    await pipeline.account.subscriptions.update(subscription.id, {
      items: [{ id: item.id, price: price.id }],
    });
    await pipeline.run('sync-catalog');
    const kept = await pipeline.deps.database
      .selectFrom('subscription_items')
      .select(['subscription_item_id', 'stripe_meter_id', 'active', 'ends_at'])
      .where('subscription_item_id', 'like', `${item.id}%`)
      .orderBy('subscription_item_id')
      .execute();
    expect(kept).toEqual([
      { subscription_item_id: item.id, stripe_meter_id: meter.id, active: true, ends_at: null },
      {
        subscription_item_id: `${item.id}#${item.price.id}`,
        stripe_meter_id: item.price.recurring?.meter,
        active: false,
        ends_at: pipeline.clock.now(),
      },
    ]);
  });
});

describe('what the catalog keeps of a subscription', () => {
  it('is its trial, its pause, its end and its currency', async () => {
    pipeline = await openPipeline();
    await pipeline.run('sync-catalog');
    const item = await itemFor('gpt-4o', 'completion');
    const created = await pipeline.account.customers.create({
      name: 'Trial',
      metadata: { tenant_id: 'trial' },
    });
    const trial = await pipeline.account.subscriptions.create({
      customer: created.id,
      items: [{ price: item.price.id }],
      trial_period_days: 7,
    });
    await pipeline.account.subscriptions.update(trial.id, {
      pause_collection: { behavior: 'keep_as_draft' },
      cancel_at_period_end: true,
    });
    pipeline.advance(0.1);
    await pipeline.run('fetch-missed-events', 'refresh-catalog');
    const row = await pipeline.deps.database
      .selectFrom('subscription_items')
      .selectAll()
      .where('subscription_id', '=', trial.id)
      .executeTakeFirstOrThrow();
    const endsAt = new Date(START_MS + 7 * 24 * 3_600_000);
    expect(row).toMatchObject({
      subscription_status: 'trialing',
      customer_id: 'trial',
      currency: item.price.currency,
      trial_ends_at: endsAt,
      ends_at: endsAt,
      collection_pause: 'keep_as_draft',
      active: true,
    });
  });
});
