import { afterEach, expect, it } from 'vitest';
import { syncCatalog } from '../../jobs/catalog/sync-catalog.ts';
import { getCertificate } from '../../src/closing/certificates.ts';
import { seedPlans } from '../../src/plans/seed.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { call, callersOf, closeOf, openClosing, runUntil, SCALE_PLAN_PRICES } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import { balance, type Pipeline, START_MS } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** Storage in GB at 1.20, fed by a system that Tallystick knows nothing of. */
async function addStorage(customerIndex = 0, { subscription: wanted }: { subscription?: string } = {}) {
  const { account } = pipeline;
  const tenantKey = pipeline.scenario.customers[customerIndex]?.tenantKey;
  const customers = (await account.customers.list({ limit: 100 })).data;
  const customer = customers.find((candidate) => candidate.metadata.tenant_id === tenantKey);
  if (customer === undefined) throw new Error('the world has changed');
  const subscription = wanted ?? (await account.subscriptions.list({ customer: customer.id })).data[0]?.id;
  const meter = await account.billing.meters.create({
    event_name: `storage_gb_${customerIndex}`,
    display_name: 'Storage',
    default_aggregation: { formula: 'sum' },
  });
  const product = await account.products.create({ name: 'Storage in GB' });
  const price = await account.prices.create({
    product: product.id,
    currency: 'usd',
    unit_amount: 120,
    recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
  });
  await account.subscriptionItems.create({ subscription: subscription ?? '', price: price.id });
  const feed = async (quantity: number, atMs: number) => {
    await account.billing.meterEvents.create({
      event_name: meter.event_name,
      payload: { stripe_customer_id: customer.id, value: String(quantity) },
      timestamp: Math.floor(atMs / 1_000),
    });
  };
  return { customer, price, meter, feed };
}

describeForBothDrafts('a metered item that another system feeds', () => {
  it('is another line of the invoice: never compared, never in the way of the close or of a minimum', async () => {
    pipeline = await openClosing({ stripe: { tieredPrices: SCALE_PLAN_PRICES } });
    await seedPlans(pipeline.deps.database, new Date(START_MS));
    const [first] = callersOf(pipeline);
    call(pipeline, first, { hour: 3, prompt: 1_000_000, completion: 200_000 });
    const storage = await addStorage();
    pipeline.advance(6);
    await storage.feed(11, START_MS + 5 * HOUR_MS);
    await runUntil(pipeline, 3, 60);
    const { close, steps } = await closeOf(pipeline, first?.customerId);
    expect(close.state).toBe('finalized');
    expect(steps.map((step) => step.state)).not.toContain('held');
    const invoice = await pipeline.deps.invoicing.readInvoice(close.invoiceId);
    // The minimum of the plan is for its own meters: storage comes on top.
    expect(invoice?.totalMinor).toBe(50_000n + 1_320n);
    const certificate = await getCertificate(pipeline.deps.database, close.invoiceId);
    const content = JSON.parse(certificate.content);
    expect(content.meters.map((meter: { eventName: string }) => meter.eventName)).not.toContain(
      storage.meter.event_name,
    );
    expect(content.otherLines).toMatchObject([{ amountMinor: '1320' }]);
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    expect(await pipeline.deps.database.selectFrom('credit_proposals').selectAll().execute()).toEqual([]);
    expect(await balance(pipeline)).toMatchObject({ drift: 0n, quarantined: 0n });
  });

  it('is no doubt about what we pushed, and is named by the catalog', async () => {
    pipeline = await openClosing();
    const storage = await addStorage();
    await storage.feed(7, START_MS);
    const synced = await syncCatalog(pipeline.deps);
    expect(synced.foreignPrices).toMatchObject([{ priceId: storage.price.id, itemCount: 1 }]);
    expect(synced.problems).toEqual([]);
    await runUntil(pipeline, 3, 60);
    const rows = await pipeline.deps.database
      .selectFrom('invoice_quantities')
      .select('agrees')
      .where('stripe_meter_id', '=', storage.meter.id)
      .execute();
    expect(rows).toEqual([]);
  });
});
