import { afterEach, describe, expect, test } from 'vitest';
import { createScenario } from '../../sandbox/scenario.ts';
import { createMonthEndTraffic } from '../../sandbox/traffic/month-end-traffic.ts';
import { createTraffic } from '../../sandbox/traffic/traffic.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { START_MS } from './account.ts';
import { type ClosingWorld, FIRST_END_MS, openClosing } from './closing-world.ts';

let world: ClosingWorld;
// The tests of traffic open none, and may come first.
afterEach(() => (world as ClosingWorld | undefined)?.close());

const at = (day: number, hour = 0) => START_MS + day * DAY_MS + hour * HOUR_MS;
const periods = () =>
  world.reports().map(({ period }) => [period.start.slice(0, 16), period.end.slice(0, 16)]);

/** A million prompt tokens cost 3 USD. */
const useAt = async (atMs: number, millions = 1n) => {
  world.goTo(atMs + MINUTE_MS);
  await world.use(millions * 1_000_000n, atMs);
  world.goTo(atMs + 10 * MINUTE_MS);
};

describe('a trial', () => {
  test('is on no invoice, and the first period begins where it ends', async () => {
    world = await openClosing({ scenarioLives: { 0: { trialDays: 2 } } });
    const { sdk, subscriptionId, goTo, reports } = world;
    await useAt(at(1));
    expect((await sdk.subscriptions.retrieve(subscriptionId)).status).toBe('trialing');
    const query = { stripeCustomerId: world.id, subscriptionId };
    expect((await world.billing.previewInvoice(query)).totalMinor).toBe(0n);
    await useAt(at(2, 1), 2n);
    expect((await sdk.subscriptions.retrieve(subscriptionId)).status).toBe('active');
    expect(reports()).toEqual([]);
    goTo(FIRST_END_MS + 49 * HOUR_MS);
    expect(reports()).toMatchObject([{ total: '6.00', status: 'paid' }]);
    expect(periods()).toEqual([['2026-11-03T00:00', '2026-11-04T00:00']]);
  });

  test('that is cancelled with its end bills nothing at all', async () => {
    world = await openClosing({
      scenarioLives: { 0: { trialDays: 2, cancel: { day: 1, atPeriodEnd: true } } },
    });
    await useAt(at(1, 12));
    world.goTo(at(40));
    expect(world.reports()).toEqual([]);
    expect((await world.sdk.subscriptions.retrieve(world.subscriptionId)).status).toBe('canceled');
  });
});

describe('paused collection', () => {
  test.each([
    ['keep_as_draft', 'draft'],
    ['void', 'void'],
    ['mark_uncollectible', 'uncollectible'],
  ] as const)('%s leaves the invoice %s, and the next one is as ever', async (behavior, status) => {
    world = await openClosing({
      scenarioLives: { 0: { pause: { fromDay: 1, untilDay: 10, behavior } } },
    });
    await useAt(at(1, 12));
    world.goTo(at(9));
    expect(await world.invoicing.readInvoice(world.invoiceId())).toMatchObject({
      collectionPause: behavior,
      autoAdvance: false,
      automaticallyFinalizesAt: null,
    });
    world.goTo(at(10));
    expect(world.reports()).toMatchObject([{ status, total: '3.00' }]);
    expect((await world.sdk.subscriptions.retrieve(world.subscriptionId)).pause_collection).toBeNull();
    world.goTo(FIRST_END_MS + 40 * DAY_MS);
    expect(world.reports()).toMatchObject([{ status }, { status: 'paid' }]);
  });

  test('can be set and taken back by hand', async () => {
    world = await openClosing();
    const { sdk, subscriptionId } = world;
    await sdk.subscriptions.update(subscriptionId, { pause_collection: { behavior: 'keep_as_draft' } });
    await sdk.subscriptions.update(subscriptionId, { pause_collection: '' });
    await expect(
      sdk.subscriptions.update(subscriptionId, { pause_collection: { behavior: 'sleep' } }),
    ).rejects.toMatchObject({ statusCode: 400 });
    world.goTo(FIRST_END_MS + 49 * HOUR_MS);
    expect(world.reports()).toMatchObject([{ status: 'paid' }]);
  });
});

describe('a cancellation', () => {
  test('at the period’s end bills that period, then nothing', async () => {
    world = await openClosing({ scenarioLives: { 0: { cancel: { day: 2, atPeriodEnd: true } } } });
    const { sdk, subscriptionId, scenario } = world;
    expect(scenario.customers[0]?.callsUntilMs).toBe(FIRST_END_MS);
    await useAt(at(2, 12));
    expect(await sdk.subscriptions.retrieve(subscriptionId)).toMatchObject({
      status: 'active',
      cancel_at_period_end: true,
      cancel_at: FIRST_END_MS / 1_000,
    });
    await useAt(FIRST_END_MS + HOUR_MS);
    world.goTo(FIRST_END_MS + 70 * DAY_MS);
    expect(world.reports()).toMatchObject([{ status: 'paid', total: '3.00' }]);
    expect(await sdk.subscriptions.retrieve(subscriptionId)).toMatchObject({
      status: 'canceled',
      ended_at: FIRST_END_MS / 1_000,
    });
    const deleted = await sdk.events.list({ type: 'customer.subscription.deleted' });
    // The list has forgotten it: it goes back thirty days.
    expect(deleted.data).toEqual([]);
  });

  test('at once cuts the period; what comes in its grace is still billed', async () => {
    world = await openClosing({ scenarioLives: { 0: { cancel: { day: 2.5, atPeriodEnd: false } } } });
    await useAt(at(2, 6));
    world.goTo(at(2, 13));
    expect(periods()).toEqual([['2026-11-01T00:00', '2026-11-03T12:00']]);
    await world.use(1_000_000n, at(2, 11));
    await world.use(1_000_000n, at(2, 12));
    world.goTo(at(30));
    expect(world.reports()).toMatchObject([{ status: 'paid', total: '6.00' }]);
    expect(await world.sdk.events.list({ type: 'customer.subscription.deleted' })).toMatchObject({
      data: [{ data: { object: { id: world.subscriptionId } } }],
    });
  });

  test('without a last invoice leaves what was used unbilled, and what was pending pending', async () => {
    world = await openClosing();
    const { sdk, id, subscriptionId } = world;
    await useAt(at(1));
    await sdk.invoiceItems.create({ customer: id, currency: 'usd', amount: 5 });
    await sdk.subscriptions.cancel(subscriptionId);
    await expect(sdk.subscriptions.cancel(subscriptionId)).rejects.toMatchObject({ statusCode: 400 });
    world.goTo(at(60));
    expect(world.reports()).toEqual([]);
    expect((await sdk.invoiceItems.list({ customer: id, pending: true })).data).toHaveLength(1);
  });
});

describe.each([
  ['days', createTraffic],
  ['month_ends', createMonthEndTraffic],
] as const)('the traffic of %s', (story, create) => {
  test('has no call of a customer who has left, and the others’ calls as ever', async () => {
    const options = { seed: 3, dayCount: 12, customerCount: 3, userCount: 9, startMs: START_MS, story };
    const leaving = { ...options, lives: { 0: { cancel: { day: 5.5, atPeriodEnd: false } } } };
    const [stays, leaves] = [options, leaving].map((scenario) =>
      create(createScenario(scenario)).rowsIngestedBetween(START_MS, START_MS + 20 * DAY_MS),
    );
    const [tenantId] = createScenario(options).customers.map(({ tenantKey }) => tenantKey);
    const calls = (rows: typeof stays = []) =>
      rows
        .filter((row) => row.properties.tenantId !== tenantId || (row.eventMs ?? 0) < at(5, 12))
        .map(({ eventMs, sum, properties }) => [eventMs, sum, properties.userId].join());
    expect(leaves?.filter((row) => row.properties.tenantId === tenantId).length).toBeGreaterThan(0);
    expect(leaves?.length).toBeLessThan(stays?.length ?? 0);
    expect(calls(leaves).sort()).toEqual(calls(stays).sort());
    expect(calls(leaves)).toHaveLength(leaves?.length ?? -1);
  });
});

describe('another price in the middle of a period', () => {
  test('bills what was reported at the old one by an item, and the rest at the new one', async () => {
    world = await openClosing({ scenarioLives: { 0: { upgrade: { day: 2, priceThousandths: 500 } } } });
    const { sdk, subscriptionId, invoiceId } = world;
    await useAt(at(1));
    world.goTo(at(2) + MINUTE_MS);
    // Used before the change and told after it: on neither side, as Stripe has it.
    await world.use(5_000_000n, at(2) - HOUR_MS);
    await useAt(at(2, 1), 2n);
    const item = (await sdk.subscriptions.retrieve(subscriptionId)).items.data[0];
    expect(item).toMatchObject({ current_period_start: at(2) / 1_000 });
    expect(item?.price.unit_amount_decimal?.toString()).toBe('0.00015');
    world.goTo(FIRST_END_MS + HOUR_MS);
    const lines = (await sdk.invoices.listLineItems(invoiceId(), { limit: 100 })).data;
    expect(lines.filter((line) => line.amount > 0)).toMatchObject([
      {
        amount: 300,
        quantity: 2_000_000,
        period: { start: at(2) / 1_000, end: FIRST_END_MS / 1_000 },
        parent: { type: 'subscription_item_details' },
      },
      {
        amount: 300,
        quantity: 1_000_000,
        period: { start: START_MS / 1_000, end: at(2) / 1_000 },
        parent: { type: 'invoice_item_details' },
      },
    ]);
  });

  test('may forgo what was used before, and an item that is added counts from then on', async () => {
    world = await openClosing();
    const { sdk, subscriptionId, reports } = world;
    await useAt(at(1));
    const [item] = (await sdk.subscriptions.retrieve(subscriptionId)).items.data;
    const price = item?.price.id ?? '';
    await sdk.subscriptionItems.del(item?.id ?? '', { proration_behavior: 'none' });
    world.goTo(at(1, 2));
    const added = await sdk.subscriptionItems.create({ subscription: subscriptionId, price });
    expect(added.created).toBe(at(1, 2) / 1_000);
    await useAt(at(1, 3), 2n);
    world.goTo(FIRST_END_MS + HOUR_MS);
    expect(reports()).toMatchObject([{ total: '6.00' }]);
    const lines = (await sdk.invoices.listLineItems(world.invoiceId(), { limit: 100 })).data;
    expect(lines.find((line) => line.amount === 600)?.period.start).toBe(at(1, 2) / 1_000);
  });
});

describe('several subscriptions of a customer', () => {
  test('are billed apart, each by its own anchor', async () => {
    world = await openClosing({
      scenarioLives: { 0: { secondSubscription: { models: ['o4-mini'], anchorDay: 10 } } },
    });
    await useAt(at(1));
    await world.use(1_000_000n, at(1), 'o4_mini_prompt_tokens');
    world.goTo(at(20));
    expect(world.reports().map(({ total, period }) => [total, period.end.slice(0, 10)])).toEqual([
      ['3.00', '2026-11-04'],
      ['1.40', '2026-11-11'],
    ]);
  });

  test('on one meter both bill the same usage', async () => {
    world = await openClosing();
    const { sdk, id, subscriptionId, reports } = world;
    const [item] = (await sdk.subscriptions.retrieve(subscriptionId)).items.data;
    const second = await sdk.subscriptions.create({
      customer: id,
      items: [{ price: item?.price.id ?? '' }],
      billing_cycle_anchor: at(5) / 1_000,
    });
    expect(second.status).toBe('active');
    await useAt(at(1));
    world.goTo(at(6));
    expect(reports().map((invoice) => invoice.total)).toEqual(['3.00', '3.00']);
  });

  test('are refused without items, twice on a price, in a second currency, and for nobody', async () => {
    world = await openClosing({ customerCount: 4 });
    const { sdk, id, subscriptionId } = world;
    const [item] = (await sdk.subscriptions.retrieve(subscriptionId)).items.data;
    const euro = await world.customer(3);
    const [other] = (await sdk.subscriptions.retrieve(euro.subscriptionId)).items.data;
    const price = item?.price.id ?? '';
    for (const wrong of [
      { items: [] },
      { items: [{ price }, { price }] },
      { items: [{ price: other?.price.id ?? '' }] },
      { customer: 'cus_none', items: [{ price }] },
      { items: [{ price }], billing_cycle_anchor: START_MS / 1_000 },
      { items: [{ price }], trial_end: 1 },
    ]) {
      await expect(sdk.subscriptions.create({ customer: id, ...wrong })).rejects.toMatchObject({
        type: 'StripeInvalidRequestError',
      });
    }
  });
});

describe('anchors at the end of the month', () => {
  test.each([
    [29, ['2027-12-29', '2028-01-29', '2028-02-29', '2028-03-29', '2028-04-29']],
    [30, ['2027-12-30', '2028-01-30', '2028-02-29', '2028-03-30', '2028-04-30']],
    [31, ['2027-12-31', '2028-01-31', '2028-02-29', '2028-03-31', '2028-04-30']],
  ])('the %ith comes back after a leap February', async (day, ends) => {
    const startMs = Date.UTC(2027, 11, 1);
    world = await openClosing({
      startMs,
      scenarioLives: { 0: { secondSubscription: { models: ['o4-mini'], anchorDay: day - 1 + 6 / 24 } } },
    });
    world.goTo(Date.UTC(2028, 4, 20));
    const ofSecond = world.reports().filter(({ period }) => period.end.slice(11, 16) === '06:00');
    expect(ofSecond.map(({ period }) => period.end.slice(0, 10))).toEqual(ends);
    // Half-open and without a gap, over the Sundays on which clocks change elsewhere too.
    for (const [index, { period }] of ofSecond.slice(1).entries()) {
      expect(period.start).toBe(ofSecond[index]?.period.end);
    }
  });

  test('in a common year the 31st is the 28th of February', async () => {
    world = await openClosing({
      startMs: Date.UTC(2027, 0, 1),
      scenarioLives: { 0: { secondSubscription: { models: ['o4-mini'], anchorDay: 30 + 6 / 24 } } },
    });
    world.goTo(Date.UTC(2027, 3, 20));
    const ends = world
      .reports()
      .map(({ period }) => period.end)
      .filter((end) => end.slice(11, 16) === '06:00');
    expect(ends.map((end) => end.slice(0, 10))).toEqual(['2027-01-31', '2027-02-28', '2027-03-31']);
  });
});
