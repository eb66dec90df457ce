import { afterEach, describe, expect, it } from 'vitest';
import type { PipelineSettings } from '../../jobs/dependencies.ts';
import type { ScenarioOptions } from '../../sandbox/scenario.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { balance, openPipeline, outsideWrites, type Pipeline } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

const SMALL = { dayCount: 2, customerCount: 3, userCount: 5 };
const ONE_DAY = { ...SMALL, dayCount: 1 };
const TICK_HOURS = 6;

describe('the whole pipeline', () => {
  let pipeline: Pipeline | undefined;
  afterEach(() => pipeline?.close());

  async function play(
    scenario: Partial<ScenarioOptions>,
    prepare: (opened: Pipeline) => void = () => {},
    settings: Partial<PipelineSettings> = {},
  ): Promise<Pipeline> {
    pipeline = await openPipeline({ scenario, settings });
    pipeline.traffic.inject([
      ...makeCall({ dimensions: { userId: 'contractor-7', tenantId: 'not-a-customer' } }),
      ...makeCall({ dimensions: { model: 'gpt-next-preview' } }),
    ]);
    prepare(pipeline);
    const endMs = pipeline.traffic.lastIngestionMs + 2 * TICK_HOURS * HOUR_MS;
    await pipeline.run();
    while (pipeline.clock.nowMs() < endMs) await pipeline.tick(TICK_HOURS);
    return pipeline;
  }

  it.each([1, 7, 42])('accounts for every token of world %i, customer by customer', async (seed) => {
    const played = await play({ seed, ...SMALL });
    const total = await balance(played);
    expect(total.source).toBeGreaterThan(100_000n);
    expect(total.metered).toBe(total.source);
    expect(total.due).toBe(0n);
    expect(total.drift).toBe(0n);
    expect(total.collected).toBe(total.source);
    expect(total.delivered).toBe(total.billed);
    // Held are the unmapped user's tokens and those of the model without a price, and nothing else.
    expect(Object.keys(total.byReason).sort()).toEqual(['no_binding', 'no_customer']);
    for (const customer of total.customers) {
      expect(customer.meteredTokens).toBe(customer.sourceTokens);
      const held = await played.deps.database
        .selectFrom('hourly_usage')
        .select(({ fn }) => fn.sum<string>('delta_token_count').as('tokens'))
        .where('customer_id', '=', customer.customer)
        .where('quarantine_reason', 'is not', null)
        .executeTakeFirstOrThrow();
      expect(BigInt(customer.billedTokens) + BigInt(held.tokens ?? 0)).toBe(BigInt(customer.sourceTokens));
    }
  });

  it('does nothing when every step runs again', async () => {
    const played = await play({ seed: 7, ...ONE_DAY });
    const before = await balance(played);
    const pushes = await played.deps.database.selectFrom('meter_pushes').selectAll().execute();
    played.calls.splice(0);
    await played.run();
    const again = await played.tick(1);
    // Customers are read, never written again, when nothing changed.
    expect(outsideWrites(played.calls)).toEqual([]);
    expect(again['collect-usage']).toMatchObject({ newRowCount: 0, usageEventCount: 0 });
    expect(again['aggregate-usage']).toMatchObject({ settledCount: 0, revisionCount: 0 });
    expect(again['push-usage']).toMatchObject({ plannedCount: 0, deliveredCount: 0 });
    expect(await balance(played)).toEqual(before);
    expect(await played.deps.database.selectFrom('meter_pushes').selectAll().execute()).toEqual(pushes);
  });

  it('notices a push that Stripe answered and lost', async () => {
    // Without reads there is no reconciliation with Stripe, which would have repaired it by now.
    const played = await play({ seed: 1, ...ONE_DAY }, ({ stripe }) => stripe.faults.dropNextMeterEvents(1), {
      stripeReadsPerDay: 0,
      stripeDoubtReadsPerDay: 0,
    });
    const total = await balance(played);
    expect(total.drift).toBeGreaterThan(0n);
    expect(total.delivered - total.billed).toBe(total.drift);
  });
});
