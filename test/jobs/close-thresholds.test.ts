import { afterEach, expect, it } from 'vitest';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { decidePreview } from '../../src/previews/decide.ts';
import { gatherPreview } from '../../src/previews/gather.ts';
import { type Caller, call, runUntil } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import {
  closedOf,
  expectDivided,
  northwindOf,
  openWithPlan,
  priceLike,
  statementOf,
} from '../setup/invoiced.ts';
import { balance, type Pipeline, type PipelineOptions, START_MS } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

async function open(options: PipelineOptions = {}): Promise<Caller> {
  const opened = await openWithPlan(options);
  pipeline = opened.pipeline;
  return opened.caller;
}

/** A threshold is not looked at in the last day of a period, which ends after 36 hours. */
async function hours(count: number) {
  for (let hour = 0; hour < count; hour += 1) await pipeline.tick(1);
}

/** @returns the last preview before the period ends, of all that was used */
async function toTheEnd(caller?: Caller): Promise<bigint | null> {
  await runUntil(pipeline, -1, 9 * 60);
  const said = caller === undefined ? null : await previewed(caller);
  await runUntil(pipeline, 3, 60);
  return said;
}

/** What the next invoice comes to, by our own figures: those of Stripe are the same for what it counts. */
async function previewed({ customerId }: Caller): Promise<bigint> {
  const { database, clock, invoicing, billing } = pipeline.deps;
  const dependencies = { database, clock, invoicing, billing, previewCache: new Map(), version: 'test' };
  const { subscriptions } = await gatherPreview(dependencies, customerId);
  const lines = subscriptions.map(decidePreview).flatMap((preview) => preview.lines);
  for (const { kind, unpricedReason, equalsStripe, countedByStripe } of lines) {
    expect(unpricedReason).toBeNull();
    if (kind === 'usage') expect([equalsStripe, countedByStripe !== null]).toEqual([true, true]);
  }
  return lines.reduce((sum, { amountMinor }) => sum + (amountMinor ?? 0n), 0n);
}

async function instalments(caller: Caller) {
  return await pipeline.deps.database
    .selectFrom('invoices')
    .select(['invoice_id', 'total_minor', 'is_instalment', 'billing_reason', 'status'])
    .where('customer_id', '=', caller.customerId)
    .where('billing_reason', '=', 'subscription_threshold')
    .orderBy('made_at')
    .execute();
}

for (const thresholdPeriods of ['slices', 'whole'] as const) {
  describeForBothDrafts(`a billing threshold, its lines of ${thresholdPeriods}`, () => {
    it('makes instalments, which count to the minimum once and are no close of their own', async () => {
      const caller = await open({ stripe: { thresholdPeriods } });
      const { subscription } = await northwindOf(pipeline);
      await pipeline.account.subscriptions.update(subscription.id, {
        billing_thresholds: { amount_gte: 10_000 },
      });
      call(pipeline, caller, { hour: 1, prompt: 20_000_000, completion: 0 });
      call(pipeline, caller, { hour: 4, prompt: 12_000_000, completion: 0 });
      call(pipeline, caller, { hour: 5, prompt: 3_000_000, completion: 0 });
      // Known to Stripe after the instalments, of the time before them.
      call(pipeline, caller, { hour: 2, ingestedAtHour: 20, prompt: 1_000_000, completion: 0 });
      call(pipeline, caller, { hour: 22, prompt: 4_000_000, completion: 0 });
      await hours(12);
      const made = await instalments(caller);
      expect(made).toMatchObject([
        { total_minor: 20_000n, is_instalment: true },
        { total_minor: 12_000n, is_instalment: true },
      ]);
      // Of 50,000 at the least, 32,000 are billed.
      expect(await previewed(caller)).toBe(18_000n);
      expect(await toTheEnd(caller)).toBe(18_000n);
      const { close, states, invoice, certificate, content, statement } = await closedOf(pipeline, caller);
      expect(close.state).toBe('finalized');
      expect(states).not.toContain('held');
      expect(content.differences).toEqual([]);
      expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
      expect(content.minimums).toMatchObject([{ linesMinor: '40000', topUpMinor: '10000' }]);
      expect(content.uninvoiced).toBeUndefined();
      // 8 M are left of 40 M.
      expect(invoice?.totalMinor).toBe(18_000n);
      expect(content.period.start).toBe(new Date(START_MS).toISOString());
      const [prompt] = content.meters;
      expect(prompt).toMatchObject({
        pushedTokens: '40000000',
        earlier: { tokenCount: '32000000', amountMinor: '32000' },
        invoiceQuantity: '8000000',
        ratedAmountMinor: '8000',
      });
      expectDivided(statement, 8_000_000n);
      expectDivided(await statementOf(pipeline, made[0]?.invoice_id ?? ''), 20_000_000n);
      expectDivided(await statementOf(pipeline, made[1]?.invoice_id ?? ''), 12_000_000n);
      expect(await balance(pipeline)).toMatchObject({ drift: 0n, quarantined: 0n });
      const disagreeing = await pipeline.deps.database
        .selectFrom('invoice_quantities')
        .select('invoice_id')
        .where('agrees', '=', false)
        .execute();
      expect(disagreeing).toEqual([]);
      const closed = await pipeline.deps.database
        .selectFrom('closes')
        .select('invoice_id')
        .where('customer_id', '=', caller.customerId)
        .execute();
      expect(closed).toEqual([{ invoice_id: close.invoiceId }]);
    });

    it.each([
      ['graduated', 26_000n, 9_000n],
      // 15 M at 0.001 were billed; all 40 M cost 0.0005, and what was billed is taken back.
      ['volume', 15_000n, 5_000n],
    ] as const)('goes on with tiers where they stood (%s)', async (tiersMode, first, last) => {
      const tiers = [
        {
          upTo: 16_000_000,
          unitAmountDecimal: '0.001',
          flatAmountDecimal: tiersMode === 'graduated' ? '1000' : null,
        },
        { upTo: null, unitAmountDecimal: '0.0005', flatAmountDecimal: null },
      ];
      const caller = await open({
        stripe: {
          thresholdPeriods,
          tieredPrices: [{ tenantKey: 'northwind', model: 'gpt-4o', tokenType: 'prompt', tiersMode, tiers }],
        },
      });
      const { subscription } = await northwindOf(pipeline);
      await pipeline.account.subscriptions.update(subscription.id, {
        billing_thresholds: { amount_gte: 15_000 },
      });
      const before = tiersMode === 'graduated' ? 16_000_000 : 15_000_000;
      call(pipeline, caller, { hour: 1, prompt: before, completion: 0 });
      await hours(6);
      call(pipeline, caller, {
        hour: 22,
        prompt: 40_000_000 - before - (tiersMode === 'graduated' ? 6_000_000 : 0),
        completion: 0,
      });
      const said = await toTheEnd(caller);
      expect(await instalments(caller)).toMatchObject([
        { total_minor: tiersMode === 'graduated' ? 17_000n : first },
      ]);
      const { close, invoice, certificate, content } = await closedOf(pipeline, caller);
      expect(close.state).toBe('finalized');
      expect(content.differences).toEqual([]);
      expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
      expect(invoice?.totalMinor).toBe(last);
      expect(said).toBe(last);
    });
  });
}

describeForBothDrafts('a threshold on the usage of an item', () => {
  it('and a new price after it: what the instalment billed is taken off what the item left', async () => {
    const caller = await open();
    const { item } = await northwindOf(pipeline);
    await pipeline.account.subscriptionItems.update(item.id, {
      billing_thresholds: { usage_gte: 15_000_000 },
    });
    call(pipeline, caller, { hour: 1, prompt: 20_000_000, completion: 0 });
    call(pipeline, caller, { hour: 6, prompt: 5_000_000, completion: 0 });
    await hours(12);
    const price = await priceLike(pipeline, item, { unitAmountDecimal: '0.002' });
    await pipeline.account.subscriptionItems.update(item.id, { price: price.id });
    await pipeline.tick(0);
    call(pipeline, caller, { hour: 22, prompt: 5_000_000, completion: 0 });
    expect(await toTheEnd(caller)).toBe(30_000n);
    expect(await instalments(caller)).toMatchObject([{ total_minor: 20_000n }]);
    const { close, invoice, certificate, content, statement } = await closedOf(pipeline, caller);
    expect(close.state).toBe('finalized');
    expect(content.differences).toEqual([]);
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    expect(content.minimums).toMatchObject([{ linesMinor: '35000', topUpMinor: '15000' }]);
    expect(invoice?.totalMinor).toBe(30_000n);
    expectDivided(statement, 10_000_000n);
  });
});

describeForBothDrafts('a threshold that resets the billing cycle', () => {
  it('ends the period: that is closed, and what comes later of it is late usage', async () => {
    const caller = await open();
    const { subscription } = await northwindOf(pipeline);
    await pipeline.account.subscriptions.update(subscription.id, {
      billing_thresholds: { amount_gte: 20_000, reset_billing_cycle_anchor: true },
    });
    call(pipeline, caller, { hour: 1, prompt: 20_000_000, completion: 0 });
    // Not sent yet when the threshold is reached.
    call(pipeline, caller, { hour: 2, ingestedAtHour: 9, prompt: 3_000_000, completion: 0 });
    await hours(14);
    const [made] = await instalments(caller);
    expect(made).toMatchObject({ is_instalment: false });
    const { close, invoice, certificate, content } = await closedOf(pipeline, caller);
    expect(close).toMatchObject({ invoiceId: made?.invoice_id, state: 'finalized' });
    expect(content.differences).toEqual([]);
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    expect(content.minimums).toMatchObject([{ linesMinor: '20000', topUpMinor: '30000' }]);
    expect(invoice?.totalMinor).toBe(50_000n);
    expect(+close.periodEnd).toBeLessThan(START_MS + 6 * HOUR_MS);
    const { byReason } = await balance(pipeline);
    expect(byReason).toEqual({ carry_to_next_invoice: 3_000_000n });
  });
});
