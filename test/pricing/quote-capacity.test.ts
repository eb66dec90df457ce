import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { azureOpenAiPriceBook as priceBook } from '../../pricing/prices/azure-openai.ts';
import type { QuoteCapacity } from '../../pricing/quotes/capacity.ts';
import { createQuote, type QuoteInput } from '../../pricing/quotes/quote.ts';
import type { QuoteUsage } from '../../pricing/quotes/usage.ts';
import { createProvisionedCapacity, hourlyCapacityWeight } from '../../pricing/rating/provisioned.ts';
import { emptyBuckets } from '../../pricing/usage/tokens.ts';
import { CAPACITY_TERMS } from './capacity-terms.ts';

const ONE = 1_000_000n;
const MONTH_HOURS = 720n;

const capacity = createProvisionedCapacity(CAPACITY_TERMS);

const bought = (more: Partial<QuoteCapacity> = {}): QuoteCapacity => ({
  deployment: 'gpt-4o-ptu',
  capacity,
  models: ['gpt-4o'],
  hourCount: 0,
  usedWeight: 0n,
  busiestWeight: 0n,
  ...more,
});

function usageOf(
  tokens: Partial<QuoteUsage['tokens']>,
  more: Partial<QuoteUsage> = { deployment: 'gpt-4o-ptu' },
): QuoteUsage {
  return {
    model: 'gpt-4o',
    feature: 'chat',
    tokens: { ...emptyBuckets(), ...tokens },
    ...more,
  };
}

function quote(
  usage: readonly QuoteUsage[],
  capacities: readonly QuoteCapacity[],
  more: Partial<QuoteInput> = {},
) {
  return createQuote({ currency: 'usd', priceBook, sellRates: [], usage, capacities, ...more });
}

const PICO = 10n ** 12n;

describe('usage on throughput bought by the hour', () => {
  it('costs nothing more while it fits, to the last weighted token, and whole units beyond', () => {
    const fitting = hourlyCapacityWeight(capacity) / ONE;
    const at = (prompt: bigint) => quote([usageOf({ prompt })], [bought()]);
    const full = at(fitting * MONTH_HOURS);
    expect(full.totals.cost).toEqual({ value: 0n, reason: null });
    expect(full.lines[0]).toMatchObject({ picoUsdPerToken: null, notes: ['cost_of_further_throughput'] });
    const over = at(fitting * MONTH_HOURS + 1n);
    expect(over.capacitySteps).toMatchObject([{ addedUnitCount: 50n, hourlyPicoUsd: 50n * PICO }]);
    expect(over.totals.cost.value).toBe(50n * PICO * MONTH_HOURS);
  });

  it('is spread over the hours as the use of the deployment was', () => {
    // The busiest of 168 hours carried four times the mean.
    const peaky = bought({ hourCount: 168, usedWeight: 168_000_000n * ONE, busiestWeight: 4_000_000n * ONE });
    const fits = 3_500_000n;
    const prompt = (fits * MONTH_HOURS) / 4n;
    expect(quote([usageOf({ prompt })], [peaky]).capacitySteps).toMatchObject([
      { addedToBusiestHour: fits * ONE, addedUnitCount: 0n, isSpreadEvenly: false },
    ]);
    expect(quote([usageOf({ prompt: prompt + 1n })], [peaky]).capacitySteps).toMatchObject([
      { addedUnitCount: 50n },
    ]);
  });

  it('shares a step by weight: a completion token counts four times, a cached one nothing', () => {
    const { lines } = quote(
      [usageOf({ prompt: 2n * 10n ** 10n, prompt_cached: 10n ** 10n, completion: 5n * 10n ** 9n })],
      [bought()],
    );
    const [prompt, cached, completion] = lines.map(({ cost }) => cost.value);
    expect(cached).toBe(0n);
    expect(prompt).toBe(completion);
    expect(prompt).toBeGreaterThan(0n);
  });

  it('gives nothing back where usage is taken away, and is paid on both sides of a merge', () => {
    const used = bought({ hourCount: 168, usedWeight: 168n * ONE, busiestWeight: ONE });
    const existing = [usageOf({ prompt: 1_000_000n })];
    const less = quote([usageOf({ prompt: 10n })], [used], { mode: 'replace', existing });
    expect(less.totals.cost.value).toBe(0n);
    expect([less.before.cost.value, less.after.cost.value]).toEqual([0n, 0n]);
    const big = usageOf({ prompt: 10n ** 10n });
    const merged = quote([big], [used], { mode: 'merge', existing });
    const replaced = quote([big], [used], { mode: 'replace', existing });
    for (const { totals, before, after } of [merged, replaced]) {
      expect(totals.cost.value).toBeGreaterThan(0n);
      expect(after.cost.value).toBe((before.cost.value ?? 0n) + (totals.cost.value ?? 0n));
    }
  });

  it('runs where its deployment, or its type and model, say; elsewhere it is priced by the token', () => {
    const costs = (more: Partial<QuoteUsage>, capacities = [bought()]) =>
      quote([usageOf({ prompt: 1_000_000n }, more)], capacities).totals.cost;
    const onIt = { value: 0n, reason: null };
    expect(costs({ deployment: ' GPT-4o-PTU ' })).toEqual(onIt);
    expect(costs({ deploymentType: 'provisioned' })).toEqual(onIt);
    expect(costs({ deployment: 'gpt-4o-ptu', deploymentType: 'provisioned' })).toEqual(onIt);
    expect(costs({ deployment: 'gpt-4o-ptu', deploymentType: 'data_zone' }).value).toBeGreaterThan(0n);
    expect(costs({ deployment: 'another' }).value).toBe(2_500_000_000_000n);
    expect(costs({}).value).toBe(2_500_000_000_000n);
    // Two serve the model, or none does: nothing is guessed.
    const unknown = { value: null, reason: 'priced_by_provisioned_unit_hour' };
    expect(costs({ deploymentType: 'provisioned' }, [bought(), bought({ deployment: 'second' })])).toEqual(
      unknown,
    );
    expect(costs({ deploymentType: 'provisioned' }, [bought({ models: ['gpt-4.1'] })])).toEqual(unknown);
  });

  it('sums to its steps, never below zero, and more never costs less', () => {
    const count = fc.bigInt({ min: 0n, max: 10n ** 12n });
    const tokens = fc.record({ prompt: count, prompt_cached: count, completion: count });
    const use = fc
      .record({
        hourCount: fc.integer({ min: 1, max: 168 }),
        busiestWeight: fc.bigInt({ min: 0n, max: 10n ** 14n }),
        share: fc.bigInt({ min: 1n, max: 100n }),
      })
      .map(({ hourCount, busiestWeight, share }) => ({
        hourCount,
        busiestWeight,
        usedWeight: (busiestWeight * BigInt(hourCount) * share) / 100n,
      }));
    fc.assert(
      fc.property(fc.array(tokens, { minLength: 1, maxLength: 5 }), tokens, use, (parts, more, seen) => {
        const usage = parts.map((each, index) => ({ ...usageOf(each), feature: `feature-${index}` }));
        const made = quote(usage, [bought(seen)]);
        const total = made.totals.cost.value ?? -1n;
        expect(made.lines.every(({ cost }) => (cost.value ?? -1n) >= 0n)).toBe(true);
        expect(made.capacitySteps.reduce((sum, step) => sum + step.monthlyPicoUsd, 0n)).toBe(total);
        const grown = quote([...usage, usageOf(more)], [bought(seen)]).totals.cost.value ?? -1n;
        expect(grown).toBeGreaterThanOrEqual(total);
      }),
    );
  });
});
