import { afterEach, describe, expect, it } from 'vitest';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { call, closeOf, openClosing } from '../setup/closing.ts';
import { type Pipeline, START_MS } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const seconds = (hour: number) => (START_MS + hour * HOUR_MS) / 1_000;
const REHEARSED = { customerId: 'rehearsed', userId: 'rehearsed-user' };

/** A customer on a test clock that stands at the start, whose period ends at hour 12. */
async function rehearse() {
  pipeline = await openClosing();
  const { account } = pipeline;
  await pipeline.run('sync-catalog');
  const clock = await account.testHelpers.testClocks.create({ frozen_time: seconds(0), name: 'rehearsal' });
  const customer = await account.customers.create({
    name: 'Rehearsed',
    test_clock: clock.id,
    metadata: { tenant_id: REHEARSED.customerId },
    invoice_settings: { default_payment_method: 'pm_card_visa' },
  });
  const prices = await account.prices.list({ limit: 100 });
  const price = prices.data.find(
    ({ currency, metadata }) =>
      currency === 'usd' &&
      metadata.tallystick_model === 'gpt-4o' &&
      metadata.tallystick_token_type === 'prompt',
  );
  const subscription = await account.subscriptions.create({
    customer: customer.id,
    billing_cycle_anchor: seconds(12),
    items: [{ price: price?.id ?? '' }],
  });
  return { account, clock, customer, subscription };
}

const knownItems = () =>
  pipeline.deps.database
    .selectFrom('subscription_items')
    .innerJoin('customers', 'customers.customer_id', 'subscription_items.customer_id')
    .select(['active', 'deleted_at'])
    .where('subscription_items.customer_id', '=', REHEARSED.customerId)
    .execute();

describe('a customer on a test clock', () => {
  it('is in no plain list, and is not lost to the nightly listing after events have brought it', async () => {
    const { account, clock, customer, subscription } = await rehearse();
    for (const list of [account.customers.list({ limit: 100 }), account.subscriptions.list({ limit: 100 })]) {
      const ids = (await list).data.map(({ id }) => id);
      expect(ids).not.toContain(customer.id);
      expect(ids).not.toContain(subscription.id);
    }
    expect((await account.customers.list({ test_clock: clock.id })).data).toHaveLength(1);
    await pipeline.run('fetch-missed-events', 'refresh-catalog');
    expect(await knownItems()).toEqual([{ active: true, deleted_at: null }]);
    pipeline.advance(1);
    await pipeline.run('sync-catalog');
    expect(await knownItems()).toEqual([{ active: true, deleted_at: null }]);
  });

  it('has its period closed once its clock has been advanced over the end', async () => {
    const { account, clock, customer } = await rehearse();
    call(pipeline, REHEARSED, { hour: 3, prompt: 1_000_000, completion: 0 });
    for (let hour = 0; hour < 13; hour += 3) await pipeline.tick(3);
    expect((await account.invoices.list({ customer: customer.id })).data).toEqual([]);
    const advancing = await account.testHelpers.testClocks.advance(clock.id, { frozen_time: seconds(12.1) });
    expect(advancing.status).toBe('advancing');
    pipeline.advance(0.01);
    expect(await account.testHelpers.testClocks.retrieve(clock.id)).toMatchObject({
      status: 'ready',
      frozen_time: seconds(12.1),
    });
    const [draft] = (await account.invoices.list({ customer: customer.id })).data;
    expect(draft).toMatchObject({ status: 'draft', total: 300, test_clock: clock.id });
    for (let hour = 0; hour < 4; hour += 1) await pipeline.tick(1);
    const { close } = await closeOf(pipeline, REHEARSED.customerId);
    expect(close).toMatchObject({ state: 'finalized', invoiceId: draft?.id });
  });
});
