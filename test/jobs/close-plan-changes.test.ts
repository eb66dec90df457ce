import { afterEach, expect, it } from 'vitest';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { call, PERIOD_END_MS, runUntil } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import { closedOf, expectDivided, northwindOf, openWithPlan, priceLike } from '../setup/invoiced.ts';
import { balance, type Pipeline, START_MS } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

async function open() {
  const opened = await openWithPlan();
  pipeline = opened.pipeline;
  return opened.caller;
}

/** Until 18 hours after the start; the period ends after 36. */
async function untilSix() {
  await pipeline.tick(0);
  for (let round = 0; round < 3; round += 1) await pipeline.tick(6);
}

async function toTheEnd() {
  await pipeline.tick(0);
  await runUntil(pipeline, 0, 9 * 60);
  await runUntil(pipeline, 3, 60);
}

async function seats(quantity: number) {
  const { subscription } = await northwindOf(pipeline);
  const product = await pipeline.account.products.create({ name: 'Seat' });
  const price = await pipeline.account.prices.create({
    product: product.id,
    currency: 'usd',
    unit_amount: 1_000,
    recurring: { interval: 'month' },
  });
  return await pipeline.account.subscriptionItems.create({
    subscription: subscription.id,
    price: price.id,
    quantity,
    proration_behavior: 'none',
  });
}

describeForBothDrafts('beside metered items', () => {
  it.each(['create_prorations', 'always_invoice', 'none'] as const)(
    'a licensed quantity that changes (%s) is other lines, and neither compared nor counted to the minimum',
    async (behavior) => {
      const caller = await open();
      const item = await seats(5);
      call(pipeline, caller, { hour: 3, prompt: 40_000_000, completion: 0 });
      await untilSix();
      await pipeline.account.subscriptionItems.update(item.id, {
        quantity: 8,
        proration_behavior: behavior,
      });
      call(pipeline, caller, { hour: 22, prompt: 5_000_000, completion: 0 });
      await toTheEnd();
      const { close, states, invoice, certificate, content, statement } = await closedOf(pipeline, caller);
      expect(close.state).toBe('finalized');
      expect(states).not.toContain('held');
      expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
      expect(content.minimums).toMatchObject([{ linesMinor: '45000', topUpMinor: '5000' }]);
      // Half of the period's seats were used for half of it: 25 of 50 back, 40 of 80 more; 80 ahead.
      const prorations = behavior === 'create_prorations' ? 1_500n : 0n;
      expect(invoice?.totalMinor).toBe(50_000n + prorations + 8_000n);
      expect(content.otherLines).toHaveLength(behavior === 'create_prorations' ? 3 : 1);
      expect(invoice?.periodStart).toEqual(new Date(START_MS));
      expectDivided(statement, 45_000_000n);
      expect(await balance(pipeline)).toMatchObject({ drift: 0n, quarantined: 0n });
    },
  );
});

describeForBothDrafts('a schedule whose phase has another price', () => {
  async function schedule(atHour: number, behavior: 'create_prorations' | 'always_invoice' | 'none') {
    const { account } = pipeline;
    const { subscription, item, items } = await northwindOf(pipeline);
    const price = await priceLike(pipeline, item, { unitAmountDecimal: '0.002' });
    const made = await account.subscriptionSchedules.create({ from_subscription: subscription.id });
    const start = START_MS / 1_000;
    const at = start + atHour * 3_600;
    const others = items.filter(({ id }) => id !== item.id);
    await account.subscriptionSchedules.update(made.id, {
      phases: [
        { start_date: start, end_date: at, items: items.map((one) => ({ price: one.price.id })) },
        {
          start_date: at,
          items: [...others.map((one) => ({ price: one.price.id })), { price: price.id }],
          proration_behavior: behavior,
        },
      ],
    });
  }

  it.each([
    ['create_prorations', 50_000n],
    ['always_invoice', 10_000n],
    ['none', 50_000n],
  ] as const)('within the period (%s) bills what it must', async (behavior, total) => {
    const caller = await open();
    await schedule(18, behavior);
    call(pipeline, caller, { hour: 3, prompt: 40_000_000, completion: 0 });
    await untilSix();
    call(pipeline, caller, { hour: 22, prompt: 5_000_000, completion: 0 });
    await toTheEnd();
    const { close, states, invoice, certificate, content, statement } = await closedOf(pipeline, caller);
    expect(close.state).toBe('finalized');
    expect(states).not.toContain('held');
    const forgone = behavior === 'none' ? 40_000_000n : 0n;
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([forgone, 0n]);
    expect(content.minimums).toMatchObject([{ linesMinor: behavior === 'none' ? '10000' : '50000' }]);
    expect(invoice?.totalMinor).toBe(total);
    expectDivided(statement, behavior === 'create_prorations' ? 45_000_000n : 5_000_000n);
  });

  it('with the end of a period bills that at the old price, on one invoice', async () => {
    const caller = await open();
    await schedule(36, 'create_prorations');
    call(pipeline, caller, { hour: 3, prompt: 40_000_000, completion: 0 });
    await untilSix();
    await toTheEnd();
    const { close, states, invoice, certificate, content, statement } = await closedOf(pipeline, caller);
    expect(close.state).toBe('finalized');
    expect(states).not.toContain('held');
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    expect(content.minimums).toMatchObject([{ linesMinor: '40000', topUpMinor: '10000' }]);
    expect(invoice?.totalMinor).toBe(50_000n);
    expectDivided(statement, 40_000_000n);
  });
});

describeForBothDrafts('a pause that was ended', () => {
  it('of collection leaves the invoice as it would be without', async () => {
    const caller = await open();
    const { subscription } = await northwindOf(pipeline);
    await pipeline.account.subscriptions.update(subscription.id, {
      pause_collection: { behavior: 'keep_as_draft' },
    });
    call(pipeline, caller, { hour: 3, prompt: 40_000_000, completion: 0 });
    await untilSix();
    await pipeline.account.subscriptions.update(subscription.id, { pause_collection: '' });
    call(pipeline, caller, { hour: 22, prompt: 5_000_000, completion: 0 });
    await toTheEnd();
    const { close, invoice, certificate, content, statement } = await closedOf(pipeline, caller);
    expect(close.state).toBe('finalized');
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    expect(content.minimums).toMatchObject([{ linesMinor: '45000', topUpMinor: '5000' }]);
    expect(invoice?.totalMinor).toBe(50_000n);
    expectDivided(statement, 45_000_000n);
  });

  it.each([
    ['pending_invoice_item', 50_000n],
    ['invoice', 10_000n],
  ] as const)('of the subscription (%s) bills what was used before and after', async (behavior, total) => {
    const caller = await open();
    const { subscription } = await northwindOf(pipeline);
    call(pipeline, caller, { hour: 3, prompt: 40_000_000, completion: 0 });
    await untilSix();
    await pipeline.account.subscriptions.pause(subscription.id, { invoicing_behavior: behavior });
    await pipeline.tick(6);
    await pipeline.account.subscriptions.resume(subscription.id, {
      billing_cycle_anchor: { type: 'unchanged' },
    });
    call(pipeline, caller, { hour: 25, prompt: 5_000_000, completion: 0 });
    await toTheEnd();
    const { close, states, invoice, certificate, content, statement } = await closedOf(pipeline, caller);
    expect(close.state).toBe('finalized');
    expect(states).not.toContain('held');
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    expect(content.minimums).toMatchObject([{ linesMinor: '45000', topUpMinor: '5000' }]);
    expect(invoice?.totalMinor).toBe(total);
    expectDivided(statement, behavior === 'invoice' ? 5_000_000n : 45_000_000n);
  });
});

describeForBothDrafts('a trial that ends within the period', () => {
  it.each([false, true])('is on no invoice, or on a line at nothing (shown: %s)', async (showsTrials) => {
    const opened = await openWithPlan({
      scenario: { lives: { 0: { trialDays: 0.5 } } },
      stripe: { showsTrials },
    });
    pipeline = opened.pipeline;
    const { caller } = opened;
    call(pipeline, caller, { hour: 3, prompt: 40_000_000, completion: 0 });
    call(pipeline, caller, { hour: 22, prompt: 5_000_000, completion: 0 });
    await untilSix();
    await toTheEnd();
    const { close, states, invoice, certificate, content, statement } = await closedOf(pipeline, caller);
    expect(close.state).toBe('finalized');
    expect(states).not.toContain('held');
    expect(close.periodStart).toEqual(new Date(START_MS + 12 * HOUR_MS));
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    expect(content.minimums).toMatchObject([{ linesMinor: '5000', topUpMinor: '45000' }]);
    expect(invoice?.totalMinor).toBe(50_000n);
    expectDivided(statement, 5_000_000n);
    if (!showsTrials) return;
    const trials = await pipeline.deps.database
      .selectFrom('closes')
      .select(['state', 'comparison', 'held_count'])
      .where('customer_id', '=', caller.customerId)
      .where('period_end', '=', new Date(START_MS + 12 * HOUR_MS))
      .execute();
    expect(trials).toMatchObject([{ state: 'finalized', held_count: 0 }]);
  });
});

describeForBothDrafts('the classic billing mode', () => {
  it('shows a zero line ahead, which is no bill, and bills nothing of a price that an item has left', async () => {
    const caller = await open();
    const { customer, subscription, items } = await northwindOf(pipeline);
    await pipeline.account.subscriptions.cancel(subscription.id, { invoice_now: true });
    const made = await pipeline.account.subscriptions.create({
      customer: customer.id,
      billing_mode: { type: 'classic' },
      items: items.map(({ price }) => ({ price: price.id })),
      billing_cycle_anchor: PERIOD_END_MS / 1_000,
    });
    call(pipeline, caller, { hour: 3, prompt: 40_000_000, completion: 0 });
    await untilSix();
    const [item] = (
      await pipeline.account.subscriptionItems.list({ subscription: made.id, limit: 100 })
    ).data.filter(({ price }) => price.id === items[0]?.price.id);
    if (item === undefined) throw new Error('the world has changed');
    const price = await priceLike(pipeline, item, { unitAmountDecimal: '0.002' });
    await pipeline.account.subscriptionItems.update(item.id, { price: price.id });
    await pipeline.tick(0);
    call(pipeline, caller, { hour: 22, prompt: 5_000_000, completion: 0 });
    await toTheEnd();
    const { close, states, certificate, content, statement } = await closedOf(pipeline, caller);
    expect(close).toMatchObject({ subscriptionId: made.id, state: 'finalized' });
    expect(states).not.toContain('held');
    expect(content.uninvoiced).toMatchObject([{ tokenCount: '40000000' }]);
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([40_000_000n, 0n]);
    expect(content.minimums).toMatchObject([{ linesMinor: '10000', topUpMinor: '40000' }]);
    expectDivided(statement, 5_000_000n);
    const closed = await pipeline.deps.database
      .selectFrom('closes')
      .select('invoice_id')
      .where('subscription_id', '=', made.id)
      .execute();
    expect(closed).toEqual([{ invoice_id: close.invoiceId }]);
  });
});
