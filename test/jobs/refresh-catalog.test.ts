import { Hono } from 'hono';
import Stripe from 'stripe';
import { afterEach, describe, expect, it } from 'vitest';
import { fetchMissedEvents } from '../../jobs/catalog/fetch-missed-events.ts';
import type { RefreshOutcome } from '../../jobs/catalog/refresh-catalog.ts';
import { DAY_MS } from '../../src/platform/clock.ts';
import { createStripeWebhookRoute } from '../../webhooks/stripe.ts';
import { openPipeline, type Pipeline } from '../setup/pipeline.ts';

const SECRET = 'whsec_snapshot_secret';
let pipeline: Pipeline;
afterEach(() => pipeline.close());

async function refresh() {
  const { 'refresh-catalog': result } = await pipeline.run('refresh-catalog');
  return result as unknown as RefreshOutcome & { ran: boolean };
}

/** Fetches what happened since the last look, as after an outage of the webhooks. */
async function catchUp() {
  pipeline.advance(1);
  const { 'fetch-missed-events': result } = await pipeline.run('fetch-missed-events');
  return { ...(result as unknown as { missedCount: number }), ...(await refresh()) };
}

async function due(): Promise<string[]> {
  const rows = await pipeline.deps.database
    .selectFrom('webhook_events')
    .select('event_type')
    .where('processed_at', 'is', null)
    .orderBy('webhook_event_id')
    .execute();
  return rows.map((row) => row.event_type);
}

/** Everything that the catalog says, without when it was read. */
async function catalog() {
  const { database } = pipeline.deps;
  const tables = await Promise.all([
    database.selectFrom('customers').selectAll().orderBy('customer_id').execute(),
    database.selectFrom('subscription_items').selectAll().orderBy('subscription_item_id').execute(),
    database.selectFrom('invoices').selectAll().orderBy('invoice_id').execute(),
    database.selectFrom('meter_bindings').selectAll().orderBy('model').orderBy('token_type').execute(),
    database.selectFrom('stripe_meters').selectAll().orderBy('stripe_meter_id').execute(),
  ]);
  return tables.map((rows) =>
    rows.map((row) => ({ ...row, synced_at: null, list_position: null, deleted_at: null })),
  );
}

async function anItem(tenant = 'northwind') {
  return await pipeline.deps.database
    .selectFrom('subscription_items')
    .selectAll()
    .where('customer_id', '=', tenant)
    .where('stripe_meter_id', 'is not', null)
    .orderBy('list_position')
    .executeTakeFirstOrThrow();
}

const reads = () => pipeline.calls.filter((call) => call.startsWith('GET /v1/'));

/** The webhook route with a queue that does as told. */
function webhooks(enqueue: () => Promise<void>) {
  const route = createStripeWebhookRoute({
    database: pipeline.deps.database,
    clock: pipeline.deps.clock,
    webhookSecret: SECRET,
    thinWebhookSecret: undefined,
    enqueue,
  });
  const app = new Hono().route('/', route);
  return async (event: Stripe.Event) => {
    const payload = JSON.stringify(event);
    const signature = await Stripe.webhooks.generateTestHeaderStringAsync({ payload, secret: SECRET });
    return await app.request('/', {
      method: 'POST',
      headers: { 'stripe-signature': signature },
      body: payload,
    });
  };
}

describe('a refresh of the catalog', () => {
  it('lists everything at the start and after a day, and else reads what changed', async () => {
    pipeline = await openPipeline({ scenario: { customerCount: 40, userCount: 80 } });
    expect(await refresh()).toMatchObject({ listedWhole: true });
    expect(await catchUp()).toMatchObject({ missedCount: 0, listedWhole: false, objectCount: 0 });
    const { customer_id: customerId, subscription_id: subscriptionId } = await anItem();
    const { stripe_customer_id: id } = await pipeline.deps.database
      .selectFrom('customers')
      .select('stripe_customer_id')
      .where('customer_id', '=', customerId)
      .executeTakeFirstOrThrow();
    await pipeline.account.customers.update(id ?? '', { name: 'Northwind Traders Ltd' });
    await pipeline.account.subscriptions.update(subscriptionId, { pause_collection: { behavior: 'void' } });
    pipeline.calls.splice(0);
    expect(await catchUp()).toMatchObject({ missedCount: 2, eventCount: 2, objectCount: 2 });
    // The event list, the customer, the subscription and its invoices.
    expect(reads().length).toBe(4);
    expect(await anItem()).toMatchObject({ collection_pause: 'void' });
    const followed = await catalog();
    expect(JSON.stringify(followed)).toContain('Northwind Traders Ltd');
    pipeline.advance(24);
    expect(await refresh()).toMatchObject({ listedWhole: true });
    expect(await catalog()).toEqual(followed);
  });

  it('ends where a whole listing ends, whatever happened and in whatever order it is told', async () => {
    pipeline = await openPipeline({ scenario: { customerCount: 12, userCount: 24 } });
    await refresh();
    const { account } = pipeline;
    const list = (await account.subscriptions.list({ limit: 100 })).data;
    const [cancelled, upgraded, emptied] = list;
    if (cancelled === undefined || upgraded === undefined || emptied === undefined)
      throw new Error('too few');
    pipeline.advance(100);
    await account.subscriptions.cancel(cancelled.id, { invoice_now: true });
    const item = upgraded.items.data[0];
    const other = upgraded.items.data[1];
    if (item === undefined || other === undefined) throw new Error('too few items');
    const price = await account.prices.create({
      product: String(item.price.product),
      currency: item.price.currency,
      unit_amount_decimal: Stripe.Decimal.from('0.0005'),
      recurring: { interval: 'month', usage_type: 'metered', meter: item.price.recurring?.meter ?? '' },
      metadata: item.price.metadata,
    });
    await account.subscriptions.update(upgraded.id, { items: [{ id: item.id, price: price.id }] });
    await account.subscriptionItems.del(emptied.items.data[0]?.id ?? '');
    await account.products.update(String(other.price.product), { name: 'Another name' });
    await account.prices.update(other.price.id, { metadata: { tallystick_feature: 'chat' } });
    const created = await account.customers.create({ name: 'New', metadata: { tenant_id: 'newcomer' } });
    await account.subscriptions.create({ customer: created.id, items: [{ price: price.id }] });
    await account.customers.del(String(emptied.customer));
    // Into the next month: everybody renews.
    pipeline.advance(31 * 24 - 100);
    const caught = await catchUp();
    expect(caught.missedCount).toBeGreaterThan(20);
    const followed = await catalog();
    await pipeline.run('sync-catalog');
    expect(await catalog()).toEqual(followed);
    expect(await due()).toEqual([]);
  });

  it('lists everything when that costs fewer reads', async () => {
    pipeline = await openPipeline({ scenario: { customerCount: 40, userCount: 80 } });
    await refresh();
    pipeline.advance(31 * 24);
    await pipeline.run('fetch-missed-events');
    await pipeline.deps.database
      .updateTable('catalog_progress')
      .set({ position: pipeline.clock.now() })
      .execute();
    pipeline.calls.splice(0);
    expect(await refresh()).toMatchObject({ listedWhole: true });
    expect(reads().length).toBeLessThan(12);
    expect(await due()).toEqual([]);
  });

  it('asks for a tenant that two claim from the whole list, and leaves it with the first', async () => {
    pipeline = await openPipeline();
    await refresh();
    await pipeline.account.customers.create({ name: 'Copy', metadata: { tenant_id: 'fabrikam' } });
    expect(await catchUp()).toMatchObject({
      listedWhole: true,
      problems: [expect.stringContaining('both claim')],
    });
  });

  it('does not let a listing that began earlier undo it', async () => {
    pipeline = await openPipeline();
    await refresh();
    const { billing } = pipeline.deps;
    const { subscription_id: subscriptionId } = await anItem();
    pipeline.deps.billing = {
      ...billing,
      readCatalog: async (query, signal) => {
        const old = await billing.readCatalog(query, signal);
        await pipeline.account.subscriptions.update(subscriptionId, {
          pause_collection: { behavior: 'void' },
        });
        await catchUp();
        return old;
      },
    };
    await pipeline.run('sync-catalog');
    expect(await anItem()).toMatchObject({ collection_pause: 'void', active: true });
  });
});

describe('an event', () => {
  it('is done only when its object is stored: a crash anywhere before loses nothing', async () => {
    pipeline = await openPipeline();
    await refresh();
    const { subscription_id: subscriptionId } = await anItem();
    await pipeline.account.subscriptions.update(subscriptionId, { pause_collection: { behavior: 'void' } });
    const event = (await pipeline.account.events.list({ limit: 1 })).data[0] as Stripe.Event;
    // The process dies right after the row is committed: nobody was asked for anything.
    const never = webhooks(() => Promise.reject(new Error('connect ECONNREFUSED')));
    expect((await never(event)).status).toBe(200);
    expect(await due()).toEqual(['customer.subscription.updated']);
    // The step dies after it has read, then while it stores.
    const { billing } = pipeline.deps;
    for (const kill of ['read', 'store'] as const) {
      pipeline.deps.billing = {
        ...billing,
        readCatalogObjects: async (...query) => {
          const change = await billing.readCatalogObjects(...query);
          if (kill === 'read') throw new Error('killed');
          return { ...change, subscriptions: [{ ...change.subscriptions[0], items: [null] }] } as never;
        },
      };
      await expect(refresh()).rejects.toThrow();
      expect(await due()).toEqual(['customer.subscription.updated']);
      expect(await anItem()).toMatchObject({ collection_pause: null });
    }
    pipeline.deps.billing = billing;
    expect(await refresh()).toMatchObject({ eventCount: 1, listedWhole: false });
    expect(await anItem()).toMatchObject({ collection_pause: 'void' });
    expect(await due()).toEqual([]);
    // Told again by a webhook and by the list: nothing happens twice.
    expect(await (await never(event)).json()).toEqual({ received: true, duplicate: true });
    expect(await catchUp()).toMatchObject({ missedCount: 0, objectCount: 0 });
    const counts = await pipeline.deps.database
      .selectFrom('webhook_counts')
      .selectAll()
      .where('event_type', '=', 'customer.subscription.updated')
      .execute();
    expect(counts).toMatchObject([{ received_count: 1n, duplicate_count: 2n }]);
  });

  it('whose object our key may not read is tried, and then answered by the whole list', async () => {
    pipeline = await openPipeline();
    await refresh();
    const { subscription_id: subscriptionId } = await anItem();
    await pipeline.account.subscriptions.update(subscriptionId, { pause_collection: { behavior: 'void' } });
    pipeline.advance(1);
    await pipeline.run('fetch-missed-events');
    pipeline.stripe.faults.add({ kind: 'refuse', path: `/v1/subscriptions/${subscriptionId}` });
    let failureCount = 0;
    let last: RefreshOutcome | null = null;
    while (last === null) {
      last = await refresh().catch(() => null);
      if (last === null) failureCount += 1;
      if (failureCount > 5) throw new Error('it never ends');
    }
    expect([failureCount, last.listedWhole]).toEqual([3, true]);
    expect(await anItem()).toMatchObject({ collection_pause: 'void' });
  });

  it('that no webhook brought is asked for every ten minutes, and hourly while webhooks come', async () => {
    pipeline = await openPipeline();
    await refresh();
    const lists = () => pipeline.calls.filter((call) => call === 'GET /v1/events').length;
    for (let minute = 0; minute < 60; minute += 10) {
      pipeline.advance(1 / 6);
      await fetchMissedEvents(pipeline.deps);
    }
    expect(lists()).toBe(6);
    const { subscription_id: subscriptionId } = await anItem();
    await pipeline.account.subscriptions.update(subscriptionId, { pause_collection: { behavior: 'void' } });
    const event = (await pipeline.account.events.list({ limit: 1 })).data[0] as Stripe.Event;
    await webhooks(async () => {})(event);
    pipeline.calls.splice(0);
    for (let minute = 0; minute < 60; minute += 10) {
      pipeline.advance(1 / 6);
      await fetchMissedEvents(pipeline.deps);
    }
    expect(lists()).toBe(1);
  });

  it('older than the thirty days that Stripe keeps is made up for by the listing', async () => {
    pipeline = await openPipeline();
    await refresh();
    await fetchMissedEvents(pipeline.deps);
    const { subscription_id: subscriptionId } = await anItem();
    await pipeline.account.subscriptions.update(subscriptionId, { pause_collection: { behavior: 'void' } });
    pipeline.advance((40 * DAY_MS) / 3_600_000);
    await fetchMissedEvents(pipeline.deps);
    await refresh();
    expect(await anItem()).toMatchObject({ collection_pause: 'void' });
  });
});
