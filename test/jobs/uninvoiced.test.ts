import { afterEach, describe, expect, it } from 'vitest';
import { balance, openPipeline, type Pipeline } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

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
