import { afterEach, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { call, callersOf, openClosing, PERIOD_END_MS } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import { expectDivided, northwindOf, openWithPlan, priceLike, statementOf } from '../setup/invoiced.ts';
import { balance, type Pipeline, START_MS } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** Ends the subscription that the scenario made, and begins one with these prices whose periods end at `PERIOD_END_MS`. */
async function subscribe(prices: readonly string[]) {
  const { customer, subscription } = await northwindOf(pipeline);
  await pipeline.account.subscriptions.cancel(subscription.id, { invoice_now: true });
  const made = await pipeline.account.subscriptions.create({
    customer: customer.id,
    items: prices.map((price) => ({ price })),
    billing_cycle_anchor: PERIOD_END_MS / 1_000,
  });
  await pipeline.tick(0);
  return made;
}

async function untilDay(day: number, stepHours: number) {
  while (pipeline.clock.nowMs() < PERIOD_END_MS + day * DAY_MS) await pipeline.tick(stepHours);
}

/** The closes of a subscription, the oldest first, with what their certificates say. */
async function closesOf(subscriptionId: string) {
  const rows = await pipeline.deps.database
    .selectFrom('closes')
    .innerJoin('close_certificates', 'close_certificates.invoice_id', 'closes.invoice_id')
    .select([
      'closes.invoice_id',
      'state',
      'held_count',
      'period_start',
      'period_end',
      'total_minor',
      'content',
    ])
    .where('subscription_id', '=', subscriptionId)
    .orderBy('period_end')
    .execute();
  return rows.map(({ content, ...row }) => ({ ...row, certificate: JSON.parse(content) }));
}

describeForBothDrafts('intervals other than the month', () => {
  it('weeks are closed like months', async () => {
    const opened = await openWithPlan();
    pipeline = opened.pipeline;
    const { item } = await northwindOf(pipeline);
    const weekly = await priceLike(pipeline, item, { unitAmountDecimal: '0.001', interval: 'week' });
    const { id } = await subscribe([weekly.id]);
    call(pipeline, opened.caller, { hour: 36 + 30, prompt: 60_000_000, completion: 0 });
    await untilDay(8, 12);
    const closes = await closesOf(id);
    expect(closes).toMatchObject([
      { state: 'finalized', period_end: new Date(PERIOD_END_MS), total_minor: 50_000n },
      {
        state: 'finalized',
        held_count: 0,
        period_start: new Date(PERIOD_END_MS),
        period_end: new Date(PERIOD_END_MS + 7 * DAY_MS),
        total_minor: 60_000n,
        certificate: { differences: [], minimums: [{ linesMinor: '60000', topUpMinor: '0' }] },
      },
    ]);
    expectDivided(await statementOf(pipeline, closes[1]?.invoice_id ?? ''), 60_000_000n);
    expect(await balance(pipeline)).toMatchObject({ drift: 0n, quarantined: 0n });
  });

  it('a longer one beside a shorter: each is on the invoice with which its period ends, and waits until then', async () => {
    const opened = await openWithPlan();
    pipeline = opened.pipeline;
    const { item, items } = await northwindOf(pipeline);
    const weekly = await priceLike(pipeline, item, { unitAmountDecimal: '0.001', interval: 'week' });
    const completion = items.find(
      ({ price }) =>
        price.metadata.tallystick_model === 'gpt-4o' && price.metadata.tallystick_token_type === 'completion',
    );
    if (completion === undefined) throw new Error('the world has changed');
    const fortnightly = await pipeline.account.prices.create({
      product: String(completion.price.product),
      currency: 'usd',
      unit_amount_decimal: '0.002' as never,
      metadata: {
        ...completion.price.metadata,
        tallystick_plan: '',
        tallystick_plan_version: '',
      },
      recurring: {
        interval: 'week',
        interval_count: 2,
        usage_type: 'metered',
        meter: completion.price.recurring?.meter ?? '',
      },
    });
    const { id } = await subscribe([weekly.id, fortnightly.id]);
    call(pipeline, opened.caller, { hour: 36 + 30, prompt: 60_000_000, completion: 7_000_000 });
    call(pipeline, opened.caller, { hour: 36 + 24 * 8, prompt: 10_000_000, completion: 3_000_000 });
    await untilDay(15, 12);
    const closes = await closesOf(id);
    const [, first, second] = closes;
    expect(closes).toHaveLength(3);
    // The first week's invoice has no line of the fortnight, and nothing of it is missing there.
    expect(first).toMatchObject({
      state: 'finalized',
      held_count: 0,
      period_end: new Date(PERIOD_END_MS + 7 * DAY_MS),
      total_minor: 60_000n,
      certificate: { differences: [], minimums: [{ linesMinor: '60000' }] },
    });
    expect(first?.certificate.uninvoiced).toBeUndefined();
    expect(second).toMatchObject({
      state: 'finalized',
      held_count: 0,
      period_end: new Date(PERIOD_END_MS + 14 * DAY_MS),
      // 10 M of the second week, up to the minimum of that week, and 10 M of both.
      total_minor: 50_000n + 20_000n,
      certificate: { differences: [], minimums: [{ linesMinor: '10000', topUpMinor: '40000' }] },
    });
    expect(second?.certificate.uninvoiced).toBeUndefined();
    expectDivided(await statementOf(pipeline, first?.invoice_id ?? ''), 60_000_000n);
    expectDivided(await statementOf(pipeline, second?.invoice_id ?? ''), 20_000_000n);
    expect(await balance(pipeline)).toMatchObject({ drift: 0n, quarantined: 0n });
  });
});

describeForBothDrafts('a year', () => {
  it('of usage is on one invoice, and its rows are there to prove it', async () => {
    pipeline = await openClosing();
    const [caller] = callersOf(pipeline);
    const { item } = await northwindOf(pipeline);
    const yearly = await priceLike(pipeline, item, { unitAmountDecimal: '0.001', interval: 'year' });
    const { id } = await subscribe([yearly.id]);
    call(pipeline, caller, { hour: 36 + 30, prompt: 6_000_000, completion: 0 });
    await untilDay(4, 12);
    await untilDay(360, 24 * 30);
    call(pipeline, caller, {
      hour: Math.floor((pipeline.clock.nowMs() - START_MS) / HOUR_MS) - 3,
      prompt: 4_000_000,
      completion: 0,
    });
    await untilDay(366, 12);
    const closes = await closesOf(id);
    expect(closes.at(-1)).toMatchObject({
      state: 'finalized',
      held_count: 0,
      period_start: new Date(PERIOD_END_MS),
      total_minor: 10_000n,
      certificate: { differences: [] },
    });
    expectDivided(await statementOf(pipeline, closes.at(-1)?.invoice_id ?? ''), 10_000_000n);
  });
});
