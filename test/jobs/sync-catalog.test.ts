import { afterEach, describe, expect, it } from 'vitest';
import { FIGURE_NAMES, TOKEN_TYPES_IN_WORDS } from '../../pricing/usage/shape.ts';
import { putCustomer } from '../../src/catalog/customers.ts';
import { assignSubject } from '../../src/catalog/subjects.ts';
import type { BillingCatalog } from '../../src/stripe/port.ts';
import { balance, openPipeline, outsideWrites, type Pipeline } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

async function sync() {
  const { 'sync-catalog': result } = await pipeline.run('sync-catalog');
  return result as unknown as { problems: string[]; releasedTokenCount: string; bindingCount: number };
}

/** Puts the last word on the catalog into `edit`'s hands. */
function arrange(edit: (catalog: BillingCatalog) => BillingCatalog): void {
  const { billing } = pipeline.deps;
  pipeline.deps.billing = {
    ...billing,
    readCatalog: async (query, signal) => edit(await billing.readCatalog(query, signal)),
  };
}

async function customers() {
  return await pipeline.deps.database
    .selectFrom('customers')
    .select(['customer_id', 'stripe_customer_id', 'tenant_key', 'deleted_at'])
    .orderBy('customer_id')
    .execute();
}

async function stripeIdOf(tenantKey: string): Promise<string> {
  const found = (await customers()).find((row) => row.tenant_key === tenantKey);
  return found?.stripe_customer_id ?? '';
}

async function bringThrough(...calls: ReturnType<typeof makeCall>[]): Promise<void> {
  pipeline.traffic.inject(calls.flat());
  for (let round = 0; round < 3; round += 1) await pipeline.tick(2);
}

describe('the catalog', () => {
  it('makes meters and customers once, and is silent when nothing changed', async () => {
    pipeline = await openPipeline();
    expect(await sync()).toMatchObject({ customerCount: 3, bindingCount: 10, problems: [] });
    const { meterSlugs } = await pipeline.deps.metering.describe();
    expect(meterSlugs.length).toBe(FIGURE_NAMES.length);
    expect(outsideWrites(pipeline.calls).length).toBe(FIGURE_NAMES.length + 3);
    pipeline.calls.splice(0);
    await sync();
    expect(outsideWrites(pipeline.calls)).toEqual([]);
  });

  it('has what Stripe says although OpenMeter gives no answer, and fails all the same', async () => {
    pipeline = await openPipeline();
    await pipeline.faults.set({ openMeter: { network: { down: true } } });
    await expect(sync()).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    expect(await customers()).toHaveLength(3);
    await pipeline.faults.set({ openMeter: { network: { down: false } } });
    expect(await sync()).toMatchObject({ customerCount: 3, problems: [] });
  });

  it('gives every internal user to its customer in OpenMeter', async () => {
    pipeline = await openPipeline();
    await bringThrough(
      makeCall({}),
      makeCall({ dimensions: { userId: 'user-00007' } }),
      makeCall({ dimensions: { userId: 'user-00002', tenantId: 'fabrikam' } }),
    );
    pipeline.calls.splice(0);
    await sync();
    const { database } = pipeline.deps;
    const now = pipeline.clock.now();
    await assignSubject(database, { subject: 'user-00007', customerId: 'fabrikam', actor: 'test', now });
    await assignSubject(database, { subject: 'user-00001', customerId: 'fabrikam', actor: 'test', now });
    // The first customer is left without any.
    expect((await sync()).problems).toEqual([]);
    await pipeline.account.customers.del(await stripeIdOf('fabrikam'));
    await sync();
    await assignSubject(database, { subject: 'user-00001', customerId: 'contoso', actor: 'test', now });
    expect((await sync()).problems).toEqual([]);
  });

  it('leaves a tenant claimed twice with the customer that was there first, and says so', async () => {
    pipeline = await openPipeline();
    await sync();
    const first = await stripeIdOf('fabrikam');
    const second = await pipeline.account.customers.create({
      name: 'Copy',
      metadata: { tenant_id: 'fabrikam' },
    });
    const { problems } = await sync();
    expect(problems).toEqual([
      `Stripe customers ${first} and ${second.id} both claim tenant fabrikam; the first keeps it.`,
    ]);
    expect(await stripeIdOf('fabrikam')).toBe(first);
    expect((await customers()).find((row) => row.stripe_customer_id === second.id)).toMatchObject({
      customer_id: second.id,
      tenant_key: null,
    });
    await bringThrough(makeCall({ dimensions: { userId: 'user-00002', tenantId: 'fabrikam' } }));
    expect(await balance(pipeline)).toMatchObject({ billed: 120n, drift: 0n });
  });

  it('lets a tenant set through the API go to the customer that Stripe says has it', async () => {
    pipeline = await openPipeline();
    const acme = {
      customerId: 'acme',
      name: 'Acme',
      tenantKey: 'acme',
      stripeCustomerId: null,
      actor: 'test',
    };
    const created = await pipeline.account.customers.create({ name: 'Acme in Stripe' });
    await sync();
    await putCustomer(pipeline.deps.database, { ...acme, now: pipeline.clock.now() });
    await pipeline.account.customers.update(created.id, { metadata: { tenant_id: 'acme' } });
    await sync();
    expect(await stripeIdOf('acme')).toBe(created.id);
  });

  it('sends nothing more to a deleted customer, and everything to the one that takes its tenant', async () => {
    pipeline = await openPipeline();
    await bringThrough(makeCall({}));
    const gone = await stripeIdOf('northwind');
    await pipeline.account.customers.del(gone);
    await bringThrough(makeCall({ hour: 7 }));
    expect((await customers()).find((row) => row.stripe_customer_id === gone)?.deleted_at).not.toBeNull();
    expect(await balance(pipeline)).toMatchObject({
      billed: 120n,
      byReason: { no_stripe_customer: 120n },
      drift: 0n,
    });
    // Another customer of Stripe's now has the tenant.
    const heir = await stripeIdOf('contoso');
    await pipeline.account.customers.update(heir, { metadata: { tenant_id: 'northwind' } });
    await bringThrough(makeCall({ hour: 13 }));
    expect(await balance(pipeline)).toMatchObject({ billed: 360n, quarantined: 0n, due: 0n, drift: 0n });
    const pushes = await pipeline.deps.database
      .selectFrom('meter_pushes')
      .select(['stripe_customer_id', ({ fn }) => fn.sum<string>('delta_token_count').as('tokens')])
      .groupBy('stripe_customer_id')
      .execute();
    expect(Object.fromEntries(pushes.map((row) => [row.stripe_customer_id, Number(row.tokens)]))).toEqual({
      [gone]: 120,
      [heir]: 240,
    });
  });

  it('reports a metered item without a meter, and binds nothing through it', async () => {
    pipeline = await openPipeline({ stripe: { legacyItemTenantKeys: ['fabrikam'] } });
    const { problems, bindingCount } = await sync();
    expect(problems.length).toBe(1);
    expect(problems[0]).toMatch(/^Price price_\w+ is metered without a meter \(legacy usage records\)/);
    expect(bindingCount).toBe(10);
  });

  it('reports prices that contradict each other or say what nobody understands, and uses the first', async () => {
    pipeline = await openPipeline();
    let first = '';
    arrange((catalog) => {
      const [one, other] = catalog.subscriptionItems;
      if (one === undefined || other === undefined) throw new Error('the world has changed');
      first = one.stripeMeterId ?? '';
      return {
        ...catalog,
        subscriptionItems: [
          ...catalog.subscriptionItems,
          {
            ...other,
            subscriptionItemId: 'si_two',
            priceId: 'price_two',
            priceMetadata: one.priceMetadata,
          },
          {
            ...other,
            subscriptionItemId: 'si_odd',
            priceId: 'price_odd',
            priceMetadata: { ...one.priceMetadata, tallystick_token_type: 'thoughts' },
          },
          { ...other, subscriptionItemId: 'si_other', priceId: 'price_other', priceMetadata: {} },
        ],
      };
    });
    const { problems } = await sync();
    expect(problems).toEqual([
      expect.stringContaining('to two meters'),
      `Price price_odd has tallystick_token_type "thoughts"; use ${TOKEN_TYPES_IN_WORDS}.`,
      expect.stringContaining('Customer northwind would be billed 4 times'),
    ]);
    expect(problems[0]).toContain(`${first} and `);
  });

  it('takes a changed price, and lets go of an item that is gone', async () => {
    pipeline = await openPipeline();
    await sync();
    let changed = '';
    let gone = '';
    arrange((catalog) => {
      const [one, two, ...rest] = catalog.subscriptionItems;
      if (one === undefined || two === undefined) throw new Error('the world has changed');
      changed = one.subscriptionItemId;
      gone = two.subscriptionItemId;
      return {
        ...catalog,
        subscriptionItems: [
          { ...one, priceId: 'price_new', price: { kind: 'per_unit', unitAmountDecimal: '0.00025' } },
          ...rest,
        ],
      };
    });
    await sync();
    const items = await pipeline.deps.database
      .selectFrom('subscription_items')
      .select(['subscription_item_id', 'price_id', 'unit_amount_decimal', 'active'])
      .where('subscription_item_id', 'in', [changed, gone])
      .execute();
    expect(items).toContainEqual({
      subscription_item_id: changed,
      price_id: 'price_new',
      unit_amount_decimal: '0.00025',
      active: true,
    });
    expect(items.find((item) => item.subscription_item_id === gone)?.active).toBe(false);
  });

  it('reports a meter of OpenMeter that counts something else', async () => {
    pipeline = await openPipeline();
    const { metering } = pipeline.deps;
    pipeline.deps.metering = {
      ...metering,
      ensureMeters: async (signal) => ({
        ...(await metering.ensureMeters(signal)),
        different: ['tallystick_requests'],
      }),
    };
    expect((await sync()).problems).toEqual([expect.stringContaining('tallystick_requests')]);
  });

  it('is read whole or not at all', async () => {
    pipeline = await openPipeline();
    await sync();
    const before = await customers();
    pipeline.stripe.faults.add({ kind: 'refuse', path: '/v1/subscriptions' });
    await expect(sync()).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    expect(await customers()).toEqual(before);
  });
});
