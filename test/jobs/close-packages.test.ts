import { afterEach, expect, it } from 'vitest';
import { decidePreview } from '../../src/previews/decide.ts';
import { gatherPreview } from '../../src/previews/gather.ts';
import { call, runUntil } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import { closedOf, expectDivided, northwindOf, openWithPlan } from '../setup/invoiced.ts';
import type { Pipeline } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

describeForBothDrafts('a price by the package', () => {
  it.each([
    ['units', 'up', 41_000n],
    ['units', 'down', 40_000n],
    ['packages', 'up', 41_000n],
    ['packages', 'down', 40_000n],
  ] as const)(
    'is charged for %s, rounded %s: in preview, invoice, certificate and statement',
    async (packageQuantities, round, amount) => {
      const opened = await openWithPlan({ stripe: { packageQuantities } });
      pipeline = opened.pipeline;
      const { caller } = opened;
      const { item } = await northwindOf(pipeline);
      const { price } = item;
      const packaged = await pipeline.account.prices.create({
        product: String(price.product),
        currency: price.currency,
        unit_amount: 1_000,
        transform_quantity: { divide_by: 1_000_000, round },
        metadata: price.metadata,
        recurring: { interval: 'month', usage_type: 'metered', meter: price.recurring?.meter ?? '' },
      });
      await pipeline.account.subscriptionItems.update(item.id, { price: packaged.id });
      call(pipeline, caller, { hour: 3, prompt: 40_400_000, completion: 0 });
      call(pipeline, caller, { hour: 29, prompt: 100_000, completion: 0 });
      await pipeline.tick(0);
      for (let round = 0; round < 4; round += 1) await pipeline.tick(6);
      expect(await previewed(caller.customerId)).toMatchObject({
        quantity: 40_400_000n,
        amountMinor: amount,
      });
      await runUntil(pipeline, 0, 9 * 60);
      await runUntil(pipeline, 3, 60);
      const { close, states, invoice, certificate, content, statement } = await closedOf(pipeline, caller);
      expect(close.state).toBe('finalized');
      expect(states).not.toContain('held');
      expect(content.differences).toEqual([]);
      expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
      expect(content.minimums).toMatchObject([
        { linesMinor: String(amount), topUpMinor: String(50_000n - amount) },
      ]);
      expect(invoice?.totalMinor).toBe(50_000n);
      expectDivided(statement, 40_500_000n);
      const line = statement.lines.find(({ priceId }) => priceId === packaged.id);
      expect(line).toMatchObject({ quantity: 40_500_000n, unitAmountDecimal: null });
    },
  );

  async function previewed(customerId: string) {
    const { database, clock, invoicing, billing } = pipeline.deps;
    const dependencies = { database, clock, invoicing, billing, previewCache: new Map(), version: 'test' };
    const { subscriptions } = await gatherPreview(dependencies, customerId);
    const [material] = subscriptions;
    if (material === undefined) throw new Error('there is no subscription');
    return decidePreview(material).lines.find(({ price }) => price?.kind === 'per_package');
  }
});
