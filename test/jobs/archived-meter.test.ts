import { afterEach, describe, expect, it } from 'vitest';
import { recordWebhookEvent } from '../../src/webhook-events/events.ts';
import { balance, openPipeline, type Pipeline } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** All steps but the whole listing: what is learnt of the meter is learnt by its events. */
async function pass(hours: number): Promise<void> {
  for (let hour = 0; hour < hours; hour += 1) {
    pipeline.advance(1);
    await tellReports();
    await pipeline.run(
      'fetch-missed-events',
      'refresh-catalog',
      'collect-usage',
      'ingest-events',
      'aggregate-usage',
      'push-usage',
      'reconcile',
    );
  }
}

/** Records Stripe's reports as the thin endpoint does. */
async function tellReports(): Promise<void> {
  const { database, clock } = pipeline.deps;
  for (const id of pipeline.stripe.thinEventIds()) {
    const event = await pipeline.account.v2.core.events.retrieve(id);
    const related = ('related_object' in event ? event.related_object : null) as {
      id: string;
      type: string;
    } | null;
    await recordWebhookEvent(database, {
      webhookEventId: event.id,
      provider: 'stripe',
      eventType: event.type,
      relatedObjectId: related?.id ?? null,
      objectType: related?.type ?? null,
      payload: {},
      receivedAt: clock.now(),
    });
  }
}

async function promptMeter(): Promise<string> {
  const meters = await pipeline.account.billing.meters.list({ limit: 100 });
  const meter = meters.data.find((candidate) => candidate.event_name === 'gpt_4o_prompt_tokens');
  if (meter === undefined) throw new Error('the world has changed');
  return meter.id;
}

async function statuses(): Promise<string[]> {
  const rows = await pipeline.deps.database
    .selectFrom('meter_pushes')
    .select('status')
    .orderBy('meter_push_id')
    .execute();
  return rows.map((row) => row.status);
}

/** Eight hours of usage, pushed to a meter that was archived before anybody told us. */
async function pushIntoArchivedMeter(): Promise<string> {
  pipeline = await openPipeline({ settings: { stripeReadsPerDay: 0 } });
  await pipeline.run('refresh-catalog');
  const meterId = await promptMeter();
  await pipeline.account.billing.meters.deactivate(meterId);
  pipeline.traffic.inject(
    Array.from({ length: 8 }, (_, hour) => makeCall({ hour, prompt: 100 + hour, completion: 0 })).flat(),
  );
  pipeline.advance(9);
  await pass(2);
  expect((await statuses()).length).toBe(8);
  expect((await balance(pipeline)).billed).toBe(0n);
  return meterId;
}

/** By the webhook that Stripe sends. */
const tellReactivated = (meterId: string) =>
  recordWebhookEvent(pipeline.deps.database, {
    webhookEventId: 'evt_reactivated',
    provider: 'stripe',
    eventType: 'billing.meter.reactivated',
    relatedObjectId: meterId,
    objectType: 'billing.meter',
    payload: {},
    receivedAt: pipeline.clock.now(),
  });

describe('usage that was pushed to an archived meter', () => {
  it('is refused by the report and found by the sums, and pushed again once when the meter is back', async () => {
    const meterId = await pushIntoArchivedMeter();
    // Nothing later is sent to the meter, so that a day of silence must tell.
    await pass(34);
    // Five by name, three by the sums; none goes out while the meter is archived.
    expect(new Set(await statuses())).toEqual(new Set(['withdrawn']));
    expect(await balance(pipeline)).toMatchObject({
      billed: 0n,
      delivered: 0n,
      due: 0n,
      byReason: { unusable_meter: 828n },
      drift: 0n,
    });
    await pipeline.account.billing.meters.reactivate(meterId);
    await tellReactivated(meterId);
    await pass(12);
    expect(await balance(pipeline)).toMatchObject({
      billed: 828n,
      delivered: 828n,
      due: 0n,
      quarantined: 0n,
      drift: 0n,
    });
    const delivered = (await statuses()).filter((status) => status === 'delivered');
    expect(delivered.length).toBe(8);
  });
});

describe('usage that was pushed to a meter that reads other keys, before anybody told us', () => {
  it.each([
    ['meter_event_no_customer_defined', { customer_mapping: { event_payload_key: 'customer_ref' } }],
    ['meter_event_invalid_value', { value_settings: { event_payload_key: 'tokens' } }],
  ])(
    'is refused by the report (%s), waits with its reason, and is pushed once the meter is right',
    async (code, keys) => {
      pipeline = await openPipeline({ settings: { stripeReadsPerDay: 0 } });
      await pipeline.run('refresh-catalog');
      const { account } = pipeline;
      const meterId = await promptMeter();
      await account.billing.meters.deactivate(meterId);
      const wrong = await account.billing.meters.create({
        event_name: 'gpt_4o_prompt_tokens',
        display_name: 'GPT-4o input',
        default_aggregation: { formula: 'sum' },
        ...('customer_mapping' in keys
          ? { customer_mapping: { type: 'by_id', ...keys.customer_mapping } }
          : keys),
      });
      pipeline.traffic.inject(
        Array.from({ length: 8 }, (_, hour) => makeCall({ hour, prompt: 100 + hour, completion: 0 })).flat(),
      );
      pipeline.advance(9);
      await pass(2);
      pipeline.advance(0.1);
      pipeline.stripe.advance(pipeline.clock.nowMs());
      const told = await Promise.all(
        pipeline.stripe.thinEventIds().map((id) => account.v2.core.events.retrieve(id)),
      );
      expect(JSON.stringify(told)).toContain(code);
      await account.billing.meters.deactivate(wrong.id);
      await pass(34);
      expect(new Set(await statuses())).toEqual(new Set(['withdrawn']));
      expect(await balance(pipeline)).toMatchObject({ billed: 0n, due: 0n, drift: 0n, quarantined: 828n });
      await account.billing.meters.reactivate(meterId);
      await tellReactivated(meterId);
      await pass(12);
      expect(await balance(pipeline)).toMatchObject({ billed: 828n, due: 0n, quarantined: 0n, drift: 0n });
    },
  );
});

describe('usage whose price was moved from an archived meter', () => {
  it('waits for the next invoice when its price was moved to another meter', async () => {
    await pushIntoArchivedMeter();
    await pass(24);
    const { account } = pipeline;
    const subscriptions = await account.subscriptions.list({ limit: 100 });
    const meter = await account.billing.meters.create({
      event_name: 'gpt_4o_prompt_v2_tokens',
      display_name: 'GPT-4o input',
      default_aggregation: { formula: 'sum' },
    });
    for (const subscription of subscriptions.data) {
      const item = subscription.items.data.find(
        ({ price }) =>
          price.metadata.tallystick_model === 'gpt-4o' && price.metadata.tallystick_token_type === 'prompt',
      );
      if (item === undefined) continue;
      const price = await account.prices.create({
        product: String(item.price.product),
        currency: item.price.currency,
        unit_amount: 1,
        recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
        metadata: item.price.metadata,
      });
      await account.subscriptions.update(subscription.id, { items: [{ id: item.id, price: price.id }] });
    }
    pipeline.traffic.inject(makeCall({ hour: 40, prompt: 7, completion: 0 }));
    await pass(14);
    expect(await balance(pipeline)).toMatchObject({
      billed: 7n,
      due: 0n,
      byReason: { carry_to_next_invoice: 828n },
      drift: 0n,
    });
  });
});
