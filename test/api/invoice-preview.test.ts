import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UpstreamError } from '../../src/platform/errors.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage, PERIOD, stripePreview } from './world.ts';

let bench: ApiBench;

interface PreviewBody {
  subscriptions: {
    currency: string;
    periodStart: string;
    stripe: { status: string; asOf: string | null; reason: string | null; total: string | null };
    ledger: { asOf: string; openHourCount: string };
    lines: {
      subscriptionItemId: string | null;
      description: string;
      quantity: string;
      countedByStripe: string | null;
      notYetCounted: string;
      notYetDelivered: string;
      amount: string | null;
      parts: { model: string | null; feature: string | null; quantity: string; amount: string }[];
    }[];
    total: string | null;
    quarantined: { reason: string; tokenCount: string }[];
  }[];
}

async function preview(customer = 'northwind') {
  const response = await bench.call(`/v1/customers/${customer}/invoice-preview`, { scope: 'sales' });
  expect(response.status, await response.clone().text()).toBe(200);
  const body = (await response.json()) as PreviewBody;
  const [subscription] = body.subscriptions;
  if (subscription === undefined) throw new Error('no subscription in the preview');
  const line = (item: string) =>
    subscription.lines.find((entry) => entry.subscriptionItemId === `si_${customer}_${item}`);
  return { body, subscription, line };
}

beforeAll(async () => {
  bench = await createApiBench();
  const { database } = bench.ledger;
  await insertCatalog(database);
  const delivered = { meterId: 'mtr_prompt', status: 'delivered' } as const;
  await insertUsage(database, [
    { hour: '2026-11-02T09:00:00Z', tokens: 600_000n, push: delivered },
    { hour: '2026-11-02T10:00:00Z', tokens: 100_000n, feature: 'search', push: delivered },
    { hour: '2026-11-21T08:00:00Z', tokens: 50_000n, push: { meterId: 'mtr_prompt', status: 'pending' } },
    // Settled and not planned yet: the row names no customer, its subject does.
    { hour: '2026-11-21T09:00:00Z', tokens: 250_001n, feature: 'search', customer: null },
    { hour: '2026-11-21T09:00:00Z', tokens: 10n, tokenType: 'completion' },
    // Not of this period, not of this customer, not billable, refused.
    { hour: '2026-10-31T23:00:00Z', tokens: 9_000_000n },
    { hour: '2026-12-01T00:00:00Z', tokens: 9_000_000n },
    { hour: '2026-11-21T09:00:00Z', tokens: 9_000_000n, customer: 'adatum', subject: 'user-3' },
    { hour: '2026-11-20T09:00:00Z', tokens: 77n, model: 'mystery-9', quarantine: 'no_subscription_item' },
    { hour: '2026-11-20T09:00:00Z', tokens: 5n, push: { meterId: 'mtr_prompt', status: 'refused' } },
    { hour: '2026-11-20T10:00:00Z', tokens: 3n, model: 'brand-new' },
  ]);
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.billing.failure = null;
  bench.billing.previews.set(
    'sub_northwind',
    stripePreview('northwind', { prompt: 600_000n, completion: 0n }),
  );
  // Past the cache of the test before.
  bench.clock.instant = new Date(bench.clock.instant.getTime() + 60_000);
});

describe('an invoice preview', () => {
  it('is Stripe’s quantity and what Stripe does not count yet, per model and feature', async () => {
    const { subscription, line } = await preview();
    expect(line('prompt')).toMatchObject({
      quantity: '1000001',
      countedByStripe: '600000',
      notYetCounted: '400001',
      notYetDelivered: '300001',
      amount: '3.00',
      stripeAmount: '1.80',
      parts: [
        { model: 'gpt-4o', feature: 'chat', quantity: '650000' },
        { model: 'gpt-4o', feature: 'search', quantity: '350001' },
      ],
    });
    expect(line('completion')).toMatchObject({ quantity: '10', countedByStripe: '0', amount: '0.00' });
    expect(line('prompt_cached')).toMatchObject({ quantity: '0', countedByStripe: '0' });
    expect(subscription.total).toBe('3.00');
    expect(subscription.stripe).toMatchObject({ status: 'ok', total: '1.80' });
    expect(subscription.periodStart).toBe(PERIOD.start.toISOString());
  });

  it('shows what waits in quarantine beside the lines', async () => {
    const { subscription } = await preview();
    expect(subscription.quarantined).toEqual([
      { reason: 'no_subscription_item', tokenCount: '77' },
      { reason: 'refused_by_stripe', tokenCount: '5' },
      { reason: 'no_binding', tokenCount: '3' },
    ]);
  });

  it('never shows less than Stripe counts', async () => {
    bench.billing.previews.set('sub_northwind', stripePreview('northwind', { prompt: 2_000_000n }));
    const { line } = await preview();
    expect(line('prompt')).toMatchObject({ quantity: '2000000', notYetCounted: '0', amount: '6.00' });
    expect(line('prompt')?.parts.at(-1)).toMatchObject({ model: null, quantity: '999999' });
  });

  it('keeps lines that are not metered', async () => {
    const fee = {
      lineId: 'il_fee',
      description: 'Platform fee',
      subscriptionItemId: null,
      priceId: null,
      quantity: 1n,
      amountMinor: 4_900n,
      unitAmountDecimal: '4900',
      periodStart: PERIOD.start,
      periodEnd: PERIOD.end,
    };
    bench.billing.previews.set('sub_northwind', stripePreview('northwind', { prompt: 600_000n }, [fee]));
    const { subscription } = await preview();
    expect(subscription.lines.at(-1)).toMatchObject({
      description: 'Platform fee',
      amount: '49.00',
      parts: [],
    });
    expect(subscription.total).toBe('52.00');
  });

  it('asks Stripe once in 30 seconds and says how old its word is', async () => {
    const before = bench.billing.previewCallCount;
    const asked = bench.clock.now().toISOString();
    await preview();
    bench.clock.instant = new Date(bench.clock.instant.getTime() + 29_000);
    const { subscription } = await preview();
    expect(bench.billing.previewCallCount).toBe(before + 1);
    expect(subscription.stripe.asOf).toBe(asked);
    expect(subscription.ledger.asOf).toBe(bench.clock.now().toISOString());
    bench.clock.instant = new Date(bench.clock.instant.getTime() + 2_000);
    await preview();
    expect(bench.billing.previewCallCount).toBe(before + 2);
  });

  it('counts of an hour in which a period begins only the part that the period holds', async () => {
    const { database } = bench.ledger;
    await insertUsage(database, [
      { hour: '2026-11-21T09:00:00Z', tokens: 400n, subject: 'user-2', part: [0, 30] },
      { hour: '2026-11-21T09:00:00Z', tokens: 5n, subject: 'user-2', part: [30, 60] },
    ]);
    const before = stripePreview('northwind', { prompt: 0n });
    const cut = new Date('2026-11-21T09:30:00Z');
    const lines = before.lines.map((line) => ({ ...line, periodStart: cut }));
    bench.billing.previews.set('sub_northwind', { ...before, lines });
    const counted = (await preview()).line('prompt');
    await database.deleteFrom('hourly_usage').where('part_end_minute', '<', 60).execute();
    await database.deleteFrom('hourly_usage').where('part_start_minute', '>', 0).execute();
    // A whole hour that began before the period is the old period's, and was not pushed; the part is the new one's.
    expect(counted).toMatchObject({ quantity: '5' });
  });

  it('answers from the ledger, flagged, when Stripe does not', async () => {
    bench.billing.failure = new UpstreamError('boom sk_live_secret', {
      system: 'stripe',
      code: 'UPSTREAM_UNAVAILABLE',
      retry: true,
    });
    const { body, subscription, line } = await preview();
    expect(subscription.stripe).toEqual({
      answered: false,
      status: 'unavailable',
      asOf: null,
      reason: 'UPSTREAM_UNAVAILABLE',
      total: null,
    });
    expect(line('prompt')).toMatchObject({ quantity: '1000001', countedByStripe: null, amount: '3.00' });
    expect(JSON.stringify(body)).not.toContain('sk_live');
  });

  it('is empty for a customer without a subscription, and separate for each customer', async () => {
    const { subscription } = await preview('adatum');
    expect(subscription).toMatchObject({ currency: 'eur', stripe: { status: 'unavailable' } });
    expect(subscription.lines.map((entry) => entry.quantity).sort()).toEqual(['0', '0', '9000000']);
    await bench.ledger.database
      .updateTable('subscription_items')
      .set({ active: false })
      .where('customer_id', '=', 'adatum')
      .execute();
    const response = await bench.call('/v1/customers/adatum/invoice-preview');
    expect(await response.json()).toMatchObject({ subscriptions: [] });
  });
});
