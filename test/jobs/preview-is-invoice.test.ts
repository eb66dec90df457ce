import { afterEach, expect, it } from 'vitest';
import { seedPlans } from '../../src/plans/seed.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { decidePreview, decideProjection } from '../../src/previews/decide.ts';
import { gatherPreview } from '../../src/previews/gather.ts';
import { showPreview } from '../../src/previews/show.ts';
import {
  call,
  callersOf,
  closeOf,
  openClosing,
  PERIOD_END_MS,
  runUntil,
  SCALE_PLAN_PRICES,
} from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import { type Pipeline, START_MS } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const NEXT_END_MS = Date.UTC(2026, 10, 2, 12);

async function previewOf(customerId: string | undefined) {
  const { database, clock, invoicing, billing } = pipeline.deps;
  const dependencies = { database, clock, invoicing, billing, previewCache: new Map(), version: 'test' };
  const material = await gatherPreview(dependencies, customerId ?? '');
  const decided = material.subscriptions.map(decidePreview);
  const { subscriptions } = showPreview(
    material,
    decided.map((one) => ({ ...one, projection: decideProjection(one) })),
  );
  const [subscription] = subscriptions;
  if (subscription === undefined) throw new Error('there is no preview');
  const named = (kind: string) =>
    subscription.lines.filter((line) => line.kind === kind).map(({ amount }) => amount);
  return { subscription, named };
}

/** Everything is collected, settled and delivered, and then the clock stands one second before the period's end. */
async function settleUntilEnd(endMs: number): Promise<void> {
  pipeline.advanceTo(endMs - HOUR_MS);
  await pipeline.run();
  pipeline.advanceTo(endMs - 1_000);
}

async function finalOf(customerId: string | undefined) {
  const { close } = await closeOf(pipeline, customerId);
  const invoice = await pipeline.deps.invoicing.readInvoice(close.invoiceId);
  if (invoice === null) throw new Error('the invoice is gone');
  expect(invoice.status).not.toBe('draft');
  return invoice;
}

async function closeNext(): Promise<void> {
  for (let hour = 0; hour < 5; hour += 1) await pipeline.tick(1);
}

describeForBothDrafts('a preview one second before the period ends', () => {
  it('has the top-up to the minimum that the close adds: 500.00, where the usage is 12.00', async () => {
    pipeline = await openClosing({ stripe: { tieredPrices: SCALE_PLAN_PRICES } });
    await seedPlans(pipeline.deps.database, new Date(START_MS));
    const [first] = callersOf(pipeline);
    call(pipeline, first, { hour: 3, prompt: 1_000_000, completion: 200_000 });
    await runUntil(pipeline, -1, 5 * 60);
    await settleUntilEnd(PERIOD_END_MS);
    const { subscription, named } = await previewOf(first?.customerId);
    expect(subscription.total).toBe('500.00');
    expect(named('minimum_top_up')).toEqual(['488.00']);
    expect(subscription.lines.find(({ kind }) => kind === 'minimum_top_up')).toMatchObject({
      description: 'Scale, top-up to the minimum of 500.00 USD',
      quantity: null,
      stripeAmount: null,
    });
    await runUntil(pipeline, 3, 60);
    expect((await finalOf(first?.customerId)).totalMinor).toBe(50_000n);
  });

  it('has the late usage that the close puts on it: 180.00, where nothing was used since', async () => {
    pipeline = await openClosing();
    const [, second] = callersOf(pipeline);
    call(pipeline, second, { hour: 3, prompt: 1_000_000, completion: 0 });
    await runUntil(pipeline, 3, 60);
    call(pipeline, second, { hour: 7, ingestedAtHour: 40, prompt: 60_000_000, completion: 0 });
    await runUntil(pipeline, 7, 60);
    await settleUntilEnd(NEXT_END_MS);
    const { subscription, named } = await previewOf(second?.customerId);
    expect(subscription.total).toBe('180.00');
    expect(named('late_usage')).toEqual(['180.00']);
    expect(subscription.lines.find(({ kind }) => kind === 'late_usage')?.description).toMatch(
      /used .* reported late$/,
    );
    await closeNext();
    expect((await finalOf(second?.customerId)).totalMinor).toBe(18_000n);
    // On the invoice it waits no more.
    pipeline.advance(1);
    await pipeline.run();
    expect((await previewOf(second?.customerId)).named('late_usage')).toEqual([]);
  });

  it('takes off late usage what the missed invoice was topped up by, and counts it to no minimum of its own', async () => {
    pipeline = await openClosing({ stripe: { tieredPrices: SCALE_PLAN_PRICES } });
    await seedPlans(pipeline.deps.database, new Date(START_MS));
    const [first] = callersOf(pipeline);
    call(pipeline, first, { hour: 3, prompt: 1_000_000, completion: 200_000 });
    await runUntil(pipeline, 3, 60);
    call(pipeline, first, { hour: 7, ingestedAtHour: 40, prompt: 60_000_000, completion: 0 });
    await runUntil(pipeline, 7, 60);
    await settleUntilEnd(NEXT_END_MS);
    const { subscription, named } = await previewOf(first?.customerId);
    expect([named('late_usage'), named('minimum_top_up'), subscription.total]).toEqual([
      ['112.00'],
      ['500.00'],
      '612.00',
    ]);
    await closeNext();
    expect((await finalOf(first?.customerId)).totalMinor).toBe(61_200n);
  });
});
