import { afterEach, expect, it } from 'vitest';
import { METRIC_NAMES } from '../../sandbox/traffic/row.ts';
import { planLateItems } from '../../src/billing/late-items.ts';
import { listUninvoiced } from '../../src/billing/uninvoiced/desk.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { call, callersOf, openClosing, runUntil } from '../setup/closing.ts';
import { northwindOf } from '../setup/invoiced.ts';
import { balance, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { dimensions, makeRow } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

it('usage of a cancelled subscription is billed less what was corrected since', async () => {
  pipeline = await openClosing();
  const [caller] = callersOf(pipeline);
  call(pipeline, caller, { hour: 3, prompt: 1_000_000, completion: 0 });
  await pipeline.tick(0);
  for (let round = 0; round < 4; round += 1) await pipeline.tick(3);
  const { customer, subscription, items } = await northwindOf(pipeline);
  await pipeline.account.subscriptions.cancel(subscription.id);
  for (let round = 0; round < 3; round += 1) await pipeline.tick(1);
  const { database } = pipeline.deps;
  const page = { afterId: 0n, limit: 10 };
  expect(await listUninvoiced(database, {}, page)).toMatchObject([
    { reason: 'subscription_cancelled', state: 'open', tokenCount: 1_000_000n },
  ]);
  // Cached tokens that are told late: as much less was used at the full price.
  pipeline.traffic.inject([
    makeRow({
      metricName: METRIC_NAMES.cachedPrompt,
      sum: 400_000,
      max: 400_000,
      eventMs: START_MS + 3 * HOUR_MS + 60_000,
      ingestedMs: START_MS + 16 * HOUR_MS,
      properties: dimensions({ userId: caller?.userId, tenantId: caller?.customerId }),
    }),
  ]);
  await pipeline.tick(3);
  await pipeline.tick(3);
  await pipeline.account.subscriptions.create({
    customer: customer.id,
    items: items.map(({ price }) => ({ price: price.id })),
    billing_cycle_anchor: Math.floor((START_MS + 36 * HOUR_MS) / 1_000),
  });
  await runUntil(pipeline, 0, 3 * 60);
  await runUntil(pipeline, 4, 60);
  const late = await database
    .selectFrom('late_items')
    .select(['token_count', 'state'])
    .where('customer_id', '=', 'northwind')
    .orderBy('token_count')
    .execute();
  expect(late).toEqual([
    { token_count: 400_000n, state: 'invoiced' },
    { token_count: 600_000n, state: 'invoiced' },
  ]);
  expect(await balance(pipeline)).toMatchObject({ quarantined: 0n, uninvoiced: 0n, drift: 0n });
});

it('usage that another has in hand while its group is taken up is taken up the next time', async () => {
  pipeline = await openClosing({ settings: { closesInvoices: false } });
  const [caller] = callersOf(pipeline);
  for (const hour of [2, 4]) call(pipeline, caller, { hour, prompt: 1_000, completion: 0 });
  await pipeline.tick(0);
  for (let round = 0; round < 4; round += 1) await pipeline.tick(3);
  const { subscription } = await northwindOf(pipeline);
  await pipeline.account.subscriptions.cancel(subscription.id);
  for (let round = 0; round < 3; round += 1) await pipeline.tick(1);
  const { database, clock } = pipeline.deps;
  const now = clock.now();
  const draft = {
    invoiceId: 'in_next',
    customerId: 'northwind',
    subscriptionId: 'sub_next',
    currency: 'usd',
  };
  await database
    .insertInto('invoices')
    .values({
      invoice_id: draft.invoiceId,
      customer_id: draft.customerId,
      subscription_id: draft.subscriptionId,
      status: 'draft',
      currency: draft.currency,
      total_minor: 0n,
      period_start: now,
      period_end: new Date(now.getTime() + 1),
      synced_at: now,
    })
    .execute();
  const states = async () =>
    (await listUninvoiced(database, {}, { afterId: 0n, limit: 10 })).map(({ state }) => state);
  await database.transaction().execute(async (other) => {
    await other
      .selectFrom('hourly_usage')
      .select('hourly_usage_id')
      .where('uninvoiced_id', 'is not', null)
      .orderBy('hourly_usage_id')
      .limit(1)
      .forUpdate()
      .execute();
    expect(await planLateItems(database, { ...draft, now })).toBe(1);
  });
  expect(await states()).toEqual(['open']);
  expect(await balance(pipeline)).toMatchObject({ due: 1_000n, uninvoiced: 1_000n, drift: 0n });
  expect(await planLateItems(database, { ...draft, now })).toBe(1);
  expect(await states()).toEqual(['taken_up']);
  expect(await balance(pipeline)).toMatchObject({ due: 2_000n, uninvoiced: 0n, drift: 0n });
});
