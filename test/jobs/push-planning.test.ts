import { afterEach, describe, expect, it } from 'vitest';
import { backfillUsage } from '../../jobs/collect/collect-usage.ts';
import type { TrafficRow } from '../../sandbox/traffic/row.ts';
import { putCustomer } from '../../src/catalog/customers.ts';
import { releaseQuarantine } from '../../src/catalog/release-held-usage.ts';
import { assignSubject } from '../../src/catalog/subjects.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import type { BillingCatalog, BillingSubscriptionItem } from '../../src/stripe/port.ts';
import { balance, openPipeline, type Pipeline, type PipelineOptions, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

const DAY_HOURS = 24;
const instant = (hours: number) => new Date(START_MS + hours * HOUR_MS);

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** Opens a pipeline on whose catalog `edit` has the last word, as if a person had arranged it so in Stripe. */
async function openWithCatalog(
  edit: (catalog: BillingCatalog) => BillingCatalog,
  options: PipelineOptions = {},
): Promise<{ edit: typeof edit }> {
  pipeline = await openPipeline(options);
  const { billing } = pipeline.deps;
  const arranged = { edit };
  pipeline.deps.billing = {
    ...billing,
    readCatalog: async (query, signal) => arranged.edit(await billing.readCatalog(query, signal)),
  };
  return arranged;
}

async function bringThrough(rows: TrafficRow[], rounds = 3): Promise<void> {
  pipeline.traffic.inject(rows);
  for (let round = 0; round < rounds; round += 1) await pipeline.tick(2);
}

const withItems =
  (edit: (item: BillingSubscriptionItem) => BillingSubscriptionItem | BillingSubscriptionItem[]) =>
  (catalog: BillingCatalog): BillingCatalog => ({
    ...catalog,
    subscriptionItems: catalog.subscriptionItems.flatMap(edit),
  });
const asItIs = (catalog: BillingCatalog) => catalog;

/** Stripe's own hourly sums of a customer on one meter: hours after the start, and values. */
async function hoursInStripe(tenantKey: string, eventName: string) {
  const { database, billing } = pipeline.deps;
  const customer = await database
    .selectFrom('customers')
    .select('stripe_customer_id')
    .where('tenant_key', '=', tenantKey)
    .executeTakeFirstOrThrow();
  const meter = await database
    .selectFrom('stripe_meters')
    .select('stripe_meter_id')
    .where('event_name', '=', eventName)
    .executeTakeFirstOrThrow();
  pipeline.advance(1);
  const summaries = await billing.readEventSummaries({
    stripeMeterId: meter.stripe_meter_id,
    stripeCustomerId: customer.stripe_customer_id ?? '',
    window: { start: instant(0), end: instant(40 * DAY_HOURS) },
  });
  return summaries.map((row) => [(row.windowStart.getTime() - START_MS) / HOUR_MS, Number(row.value)]);
}

describe('usage without a place to bill it', () => {
  it('of a subject of nobody waits, and lands in its own hour when it is assigned', async () => {
    pipeline = await openPipeline();
    await bringThrough(makeCall({ hour: 1, dimensions: { userId: 'contractor', tenantId: 'nobody' } }));
    expect((await balance(pipeline)).byReason).toEqual({ no_customer: 120n });
    const now = pipeline.clock.now();
    const { database } = pipeline.deps;
    await assignSubject(database, { subject: 'contractor', customerId: 'fabrikam', actor: 'test', now });
    expect(await releaseQuarantine(database, { actor: 'test', now })).toBe(120n);
    await pipeline.run('push-usage');
    expect(await balance(pipeline)).toMatchObject({ billed: 120n, quarantined: 0n, due: 0n, drift: 0n });
    expect(await hoursInStripe('fabrikam', 'gpt_4o_prompt_tokens')).toEqual([[1, 100]]);
  });

  it('of a model without a price waits, and is billed when the price is there', async () => {
    const isMini = (item: BillingSubscriptionItem) => item.priceMetadata.tallystick_model === 'o4-mini';
    const arranged = await openWithCatalog(withItems((item) => (isMini(item) ? [] : item)));
    await bringThrough(makeCall({ dimensions: { model: 'o4-mini' } }));
    expect((await balance(pipeline)).byReason).toEqual({ no_binding: 120n });
    arranged.edit = asItIs;
    expect((await pipeline.run())['sync-catalog']).toMatchObject({ releasedTokenCount: '120' });
    expect(await balance(pipeline)).toMatchObject({ billed: 120n, quarantined: 0n, drift: 0n });
    expect(await hoursInStripe('northwind', 'o4_mini_prompt_tokens')).toEqual([[0, 100]]);
  });

  it('of a customer without a subscription waits, and is billed when there is one', async () => {
    let owner = '';
    const arranged = await openWithCatalog((catalog) => {
      owner = catalog.customers.find((row) => row.metadata.tenant_id === 'northwind')?.stripeCustomerId ?? '';
      return withItems((item) => (item.stripeCustomerId === owner ? [] : item))(catalog);
    });
    await bringThrough([
      ...makeCall({}),
      ...makeCall({ dimensions: { userId: 'u9', tenantId: 'fabrikam' } }),
    ]);
    expect((await balance(pipeline)).byReason).toEqual({ no_subscription_item: 120n });
    arranged.edit = asItIs;
    await pipeline.run();
    expect(await balance(pipeline)).toMatchObject({ billed: 240n, quarantined: 0n, drift: 0n });
  });

  it('of a customer without a subscription is billed to the one its subject is given to', async () => {
    await openWithCatalog((catalog) => {
      const owner = catalog.customers.find((row) => row.metadata.tenant_id === 'northwind')?.stripeCustomerId;
      return withItems((item) => (item.stripeCustomerId === owner ? [] : item))(catalog);
    });
    await bringThrough(makeCall({}));
    await assignSubject(pipeline.deps.database, {
      subject: 'user-00001',
      customerId: 'fabrikam',
      actor: 'test',
      now: pipeline.clock.now(),
    });
    await pipeline.run();
    expect(await balance(pipeline)).toMatchObject({ billed: 120n, quarantined: 0n, drift: 0n });
    expect(await hoursInStripe('fabrikam', 'gpt_4o_prompt_tokens')).toEqual([[0, 100]]);
  });

  it('of a customer that Stripe does not know waits, and is billed when it does', async () => {
    pipeline = await openPipeline();
    const acme = {
      customerId: 'acme',
      name: 'Acme',
      tenantKey: 'acme',
      stripeCustomerId: null,
      actor: 'test',
    };
    const { database } = pipeline.deps;
    await putCustomer(database, { ...acme, now: pipeline.clock.now() });
    await bringThrough(makeCall({ dimensions: { userId: 'a1', tenantId: 'acme' } }));
    expect((await balance(pipeline)).byReason).toEqual({ no_stripe_customer: 120n });
    const contoso = await database
      .selectFrom('customers')
      .select('stripe_customer_id')
      .where('customer_id', '=', 'contoso')
      .executeTakeFirstOrThrow();
    await assignSubject(database, {
      subject: 'a1',
      customerId: 'contoso',
      actor: 'test',
      now: pipeline.clock.now(),
    });
    expect(contoso.stripe_customer_id).not.toBeNull();
    await pipeline.run();
    expect(await balance(pipeline)).toMatchObject({ billed: 120n, quarantined: 0n, drift: 0n });
  });

  it('on a meter that cannot take it waits, and is billed when the meter can', async () => {
    const arranged = await openWithCatalog((catalog) => ({
      ...catalog,
      meters: catalog.meters.map((meter) => ({ ...meter, status: 'inactive' as const })),
    }));
    await bringThrough(makeCall({}));
    expect((await balance(pipeline)).byReason).toEqual({ unusable_meter: 120n });
    arranged.edit = asItIs;
    await pipeline.run();
    expect(await balance(pipeline)).toMatchObject({ billed: 120n, quarantined: 0n, drift: 0n });
  });

  it('does not wander between quarantine and due while its cause stays', async () => {
    pipeline = await openPipeline();
    await bringThrough(makeCall({ dimensions: { model: 'gpt-next-preview' } }));
    const again = await pipeline.run();
    expect(again['sync-catalog']).toMatchObject({ releasedTokenCount: '0' });
    expect(again['push-usage']).toMatchObject({ plannedCount: 0, quarantinedRowCount: 0 });
  });
});

describe('the billing period', () => {
  /** Quarter-hour ticks, so that a draft's grace is long enough to see. */
  async function tickUntil(hours: number): Promise<void> {
    while (pipeline.clock.nowMs() < START_MS + hours * HOUR_MS) await pipeline.tick(0.25);
  }
  // The first customer's first period ends with the third day.
  const END = 3 * DAY_HOURS;

  it('takes usage of its last hours while its invoice is a draft', async () => {
    pipeline = await openPipeline({ gracePeriodHours: 3 });
    pipeline.traffic.inject(makeCall({ hour: END - 1, minute: 50 }));
    pipeline.advance(END - 1);
    await tickUntil(END + 4);
    expect(await balance(pipeline)).toMatchObject({ billed: 120n, quarantined: 0n });
    const [invoice] = pipeline.stripe.invoiceReport();
    expect(invoice).toMatchObject({ customer: 'northwind', status: 'paid' });
    const quantities = invoice?.lines.map((line) => Number(line.quantity)) ?? [];
    expect(quantities.reduce((sum, quantity) => sum + quantity, 0)).toBe(120);
  });

  it('once finalized takes no more: later usage of it is held with the reason', async () => {
    pipeline = await openPipeline({ gracePeriodHours: 3 });
    pipeline.traffic.inject([
      ...makeCall({ hour: END - 2, ingestedAtHour: END + 5 }),
      ...makeCall({ hour: END + 1, prompt: 7, completion: 0 }),
    ]);
    pipeline.advance(END + 3);
    for (let round = 0; round < 4; round += 1) await pipeline.tick(2);
    const total = await balance(pipeline);
    expect(total.byReason).toEqual({ carry_to_next_invoice: 120n });
    expect(total).toMatchObject({ billed: 7n, due: 0n, drift: 0n });
  });

  it('is not guessed from a catalog that may be out of date', async () => {
    pipeline = await openPipeline({ gracePeriodHours: 3 });
    await pipeline.run();
    const { billing } = pipeline.deps;
    pipeline.deps.billing = { ...billing, readCatalog: () => Promise.reject(new Error('Stripe is down')) };
    // The period ended and its invoice was finalized; the ledger knows neither.
    pipeline.traffic.inject(makeCall({ hour: END - 2 }));
    pipeline.advance(END + 6);
    await pipeline.run('collect-usage', 'ingest-events');
    pipeline.advance(1);
    await pipeline.run('aggregate-usage', 'push-usage');
    expect(await balance(pipeline)).toMatchObject({ billed: 0n });
    pipeline.deps.billing = billing;
    await pipeline.run();
    expect((await balance(pipeline)).byReason).toEqual({ carry_to_next_invoice: 120n });
  });
});

describe('usage older than Stripe takes', () => {
  it('is held with its reason, and never sent', async () => {
    pipeline = await openPipeline({ settings: { collectStart: instant(36 * DAY_HOURS) } });
    pipeline.traffic.inject(makeCall({}));
    pipeline.advance(36 * DAY_HOURS + 1);
    await backfillUsage(pipeline.deps, { start: instant(0), end: instant(2) });
    for (let round = 0; round < 2; round += 1) await pipeline.tick(1);
    const total = await balance(pipeline);
    expect(total.byReason).toEqual({ carry_to_next_invoice: 120n });
    expect(total).toMatchObject({ billed: 0n, due: 0n, drift: 0n });
  });
});

describe('a meter', () => {
  it('fed by two subscription items of one customer gets nothing while each would bill all of it', async () => {
    await openWithCatalog(
      withItems((item) => [
        item,
        { ...item, subscriptionItemId: `${item.subscriptionItemId}_two`, subscriptionId: 'sub_two' },
      ]),
    );
    await bringThrough(makeCall({}));
    expect(await balance(pipeline)).toMatchObject({
      billed: 0n,
      due: 0n,
      drift: 0n,
      byReason: { double_binding: 120n },
    });
  });

  it('fed by two models gets their sum in one push, and the more exact binding wins', async () => {
    await openWithCatalog((catalog) => {
      const prompt = catalog.subscriptionItems.find(
        (item) =>
          item.priceMetadata.tallystick_model === 'gpt-4o' &&
          item.priceMetadata.tallystick_token_type === 'prompt',
      );
      const completion = catalog.subscriptionItems.find(
        (item) =>
          item.priceMetadata.tallystick_model === 'gpt-4o' &&
          item.priceMetadata.tallystick_token_type === 'completion',
      );
      if (prompt === undefined || completion === undefined) throw new Error('the world has changed');
      const bind = (item: BillingSubscriptionItem, suffix: string, metadata: Record<string, string>) => ({
        ...item,
        subscriptionItemId: `${item.subscriptionItemId}_${suffix}`,
        priceMetadata: { ...item.priceMetadata, ...metadata },
        // It binds, and charges nothing a second time.
        price: { kind: 'per_unit' as const, unitAmountDecimal: '0' },
      });
      return {
        ...catalog,
        subscriptionItems: [
          ...catalog.subscriptionItems,
          bind(prompt, 'next', { tallystick_model: 'gpt-next-preview' }),
          // Prompts of one feature are priced as completions.
          bind(completion, 'feature', { tallystick_token_type: 'prompt', tallystick_feature: 'search' }),
        ],
      };
    });
    await bringThrough([
      ...makeCall({ prompt: 100, completion: 0 }),
      ...makeCall({ prompt: 10, completion: 0, dimensions: { model: 'gpt-next-preview' } }),
      ...makeCall({ prompt: 7, completion: 0, dimensions: { featureArea: 'search' } }),
    ]);
    const rows = await pipeline.deps.database
      .selectFrom('meter_pushes')
      .select(['event_name', 'sent_value'])
      .orderBy('event_name')
      .execute();
    expect(rows).toEqual([
      { event_name: 'gpt_4o_completion_tokens', sent_value: 7n },
      { event_name: 'gpt_4o_prompt_tokens', sent_value: 110n },
    ]);
  });
});
