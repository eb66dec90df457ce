import { afterEach, expect, it } from 'vitest';
import { decidePreview } from '../../src/previews/decide.ts';
import { gatherPreview } from '../../src/previews/gather.ts';
import { decideStatementsSoFar } from '../../src/statements/decide.ts';
import { gatherStatementSoFar } from '../../src/statements/gather.ts';
import { call, runUntil } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import { closedOf, expectDivided, northwindOf, openWithPlan, priceLike } from '../setup/invoiced.ts';
import type { Pipeline } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

function dependencies() {
  const { database, clock, invoicing, billing } = pipeline.deps;
  return { database, clock, invoicing, billing, previewCache: new Map(), version: 'test' };
}

describeForBothDrafts('what is said before an invoice whose item got another price', () => {
  it('divides both parts as the invoice does', async () => {
    const opened = await openWithPlan();
    pipeline = opened.pipeline;
    const { caller } = opened;
    call(pipeline, caller, { hour: 3, prompt: 40_000_000, completion: 0 });
    await pipeline.tick(0);
    for (let round = 0; round < 3; round += 1) await pipeline.tick(6);
    const { item } = await northwindOf(pipeline);
    const price = await priceLike(pipeline, item, { unitAmountDecimal: '0.002' });
    await pipeline.account.subscriptionItems.update(item.id, { price: price.id });
    await pipeline.tick(0);
    call(pipeline, caller, { hour: 22, prompt: 5_000_000, completion: 0 });
    for (let round = 0; round < 2; round += 1) await pipeline.tick(6);
    const { subscriptions } = await gatherPreview(dependencies(), caller.customerId);
    const lines = subscriptions
      .flatMap((material) => decidePreview(material).lines)
      .filter(({ quantity }) => quantity !== 0n);
    expect(lines).toMatchObject([
      { subscriptionItemId: item.id, quantity: 5_000_000n, amountMinor: 10_000n },
      {
        subscriptionItemId: null,
        priceId: item.price.id,
        quantity: 40_000_000n,
        amountMinor: 40_000n,
        equalsStripe: true,
        parts: [{ model: 'gpt-4o', quantity: 40_000_000n, amountMinor: 40_000n }],
      },
    ]);
    const [soFar] = decideStatementsSoFar(await gatherStatementSoFar(dependencies(), caller.customerId));
    if (soFar === undefined) throw new Error('there is no statement so far');
    expectDivided(soFar, 45_000_000n);
    expect(soFar.totals).toMatchObject({ usageMinor: 50_000n });
    await runUntil(pipeline, 0, 9 * 60);
    await runUntil(pipeline, 3, 60);
    const { statement } = await closedOf(pipeline, caller);
    expect(soFar.byUser).toEqual(statement.byUser);
    expect(soFar.byDay).toEqual(statement.byDay);
    expect(soFar.byModel).toEqual(statement.byModel);
    expect(soFar.byFeature).toEqual(statement.byFeature);
  });
});
