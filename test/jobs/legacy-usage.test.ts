import { afterEach, describe, expect, it } from 'vitest';
import { balance, openPipeline, type Pipeline, type PipelineOptions } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const FABRIKAM = { userId: 'user-00002', tenantId: 'fabrikam' };

/** Fabrikam's prompts of gpt-4o are billed by a price without a meter; everybody else's by the meter. */
async function open(options: PipelineOptions = {}) {
  pipeline = await openPipeline({
    legacyUsageRecords: true,
    stripe: { legacyItemTenantKeys: ['fabrikam'] },
    ...options,
  });
  const { account } = pipeline;
  const customer = (await account.customers.list({ limit: 100 })).data.find(
    (candidate) => candidate.metadata.tenant_id === 'fabrikam',
  );
  const subscription = (await account.subscriptions.list({ customer: customer?.id ?? '' })).data[0];
  const items = await account.subscriptionItems.list({ subscription: subscription?.id ?? '', limit: 100 });
  const legacy = items.data.find(({ price }) => price.recurring?.meter === null);
  const metered = items.data.find(
    ({ price }) =>
      price.metadata.tallystick_model === 'gpt-4o' && price.metadata.tallystick_token_type === 'prompt',
  );
  if (legacy === undefined || metered === undefined) throw new Error('the world has changed');
  await account.prices.update(legacy.price.id, {
    metadata: { tallystick_model: 'gpt-4o', tallystick_token_type: 'prompt' },
  });
  await account.subscriptionItems.del(metered.id);
  return { itemId: legacy.id, customerId: customer?.id ?? '' };
}

async function settle(): Promise<void> {
  for (let round = 0; round < 3; round += 1) await pipeline.tick(2);
}

const records = () => pipeline.calls.filter((call) => call.endsWith('/usage_records')).length;
const prompts = (hour: number, count: number, who: Record<string, string> = FABRIKAM) =>
  makeCall({ hour, prompt: count, completion: 0, dimensions: who });

describe('a metered item without a meter', () => {
  it('is served by usage records of whole hours, next to customers with meters', async () => {
    await open();
    pipeline.traffic.inject(
      [
        prompts(0, 100),
        prompts(1, 30),
        prompts(0, 7, { userId: 'user-00001', tenantId: 'northwind' }),
      ].flat(),
    );
    await settle();
    expect(await balance(pipeline)).toMatchObject({
      billed: 137n,
      delivered: 137n,
      quarantined: 0n,
      drift: 0n,
    });
    expect(records()).toBe(2);
    const { problems } = (await pipeline.run('sync-catalog'))['sync-catalog'] as unknown as {
      problems: string[];
    };
    expect(problems).toEqual([]);
  });

  it('gets the new total of an hour for late usage, in place of the old one', async () => {
    const { customerId } = await open();
    pipeline.traffic.inject([...prompts(0, 100), ...prompts(1, 5)]);
    await settle();
    pipeline.traffic.inject(
      makeCall({ hour: 0, minute: 30, prompt: 11, completion: 0, dimensions: FABRIKAM, ingestedAtHour: 6 }),
    );
    await settle();
    expect(await balance(pipeline)).toMatchObject({ billed: 116n, due: 0n, quarantined: 0n, drift: 0n });
    pipeline.advance(24 * 33);
    const invoices = await pipeline.account.invoices.list({ customer: customerId, limit: 10 });
    const billed = invoices.data.flatMap((invoice) => invoice.lines.data);
    expect(billed.reduce((sum, line) => sum + (line.quantity ?? 0), 0)).toBe(116);
  });

  it.each(['fail', 'fail_after', 'reset_before', 'reset_after', 'truncate'] as const)(
    'counts once when an answer meets %s',
    async (kind) => {
      const { itemId } = await open();
      pipeline.traffic.inject(prompts(0, 100));
      const path = `/v1/subscription_items/${itemId}/usage_records`;
      pipeline.stripe.faults.add({ kind, count: 3, path });
      for (let round = 0; round < 5; round += 1) {
        pipeline.advance(1);
        for (const step of [
          'sync-catalog',
          'collect-usage',
          'ingest-events',
          'aggregate-usage',
          'push-usage',
        ] as const) {
          await pipeline.run(step).catch(() => {});
        }
      }
      pipeline.stripe.faults.clear();
      await settle();
      expect(await balance(pipeline)).toMatchObject({ billed: 100n, delivered: 100n, due: 0n, drift: 0n });
    },
  );

  it('whose running period is over leaves late usage to the next invoice', async () => {
    await open({ gracePeriodHours: 72 });
    pipeline.traffic.inject(prompts(0, 100));
    await settle();
    const { database } = pipeline.deps;
    const item = await database
      .selectFrom('subscription_items')
      .select('current_period_end')
      .where('stripe_meter_id', 'like', 'legacy:%')
      .executeTakeFirstOrThrow();
    pipeline.advance((item.current_period_end.getTime() - pipeline.clock.nowMs()) / 3_600_000 + 1);
    pipeline.traffic.inject(makeCall({ hour: 1, prompt: 9, completion: 0, dimensions: FABRIKAM }));
    await settle();
    expect(await balance(pipeline)).toMatchObject({
      billed: 100n,
      byReason: { carry_to_next_invoice: 9n },
      drift: 0n,
    });
  });

  it('is refused loudly unless that is switched on', async () => {
    await open({ legacyUsageRecords: false });
    pipeline.traffic.inject(prompts(0, 100));
    await settle();
    expect(records()).toBe(0);
    expect(await balance(pipeline)).toMatchObject({ billed: 0n, byReason: { no_subscription_item: 100n } });
    const result = (await pipeline.run('sync-catalog'))['sync-catalog'];
    expect(result).toMatchObject({ problems: [expect.stringContaining('legacy usage records')] });
  });
});

describe("the stand-in's usage records", () => {
  it('exist at the old version only, and not for prices with a meter', async () => {
    const { itemId } = await open();
    const path = (id: string) => `/v1/subscription_items/${id}/usage_records`;
    const seconds = Math.floor(pipeline.clock.nowMs() / 1_000);
    const record = { quantity: '1', timestamp: String(seconds), action: 'set' };
    const { account } = pipeline;
    await expect(account.rawRequest('POST', path(itemId), record)).rejects.toMatchObject({ statusCode: 404 });
    const old = { apiVersion: '2025-02-24.acacia' };
    expect(await account.rawRequest('POST', path(itemId), record, old)).toMatchObject({ quantity: 1 });
    expect(await account.rawRequest('POST', path(itemId), record, old)).toMatchObject({ quantity: 1 });
    const early = { ...record, timestamp: String(seconds - 40 * 86_400) };
    await expect(account.rawRequest('POST', path(itemId), early, old)).rejects.toMatchObject({
      statusCode: 400,
    });
    const items = await account.subscriptions.list({ limit: 100 });
    const metered = items.data[0]?.items.data.find(({ price }) => price.recurring?.meter !== null);
    await expect(account.rawRequest('POST', path(metered?.id ?? ''), record, old)).rejects.toMatchObject({
      statusCode: 400,
    });
  });
});
