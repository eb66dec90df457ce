import { afterEach, expect, it } from 'vitest';
import { formatMinor } from '../../pricing/money.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import type { InvoicePreviewBody } from '../../src/previews/schemas.ts';
import { call, PERIOD_END_MS, runUntil } from '../setup/closing.ts';
import { closedOf, northwindOf, openWithPlan, priceLike } from '../setup/invoiced.ts';
import type { Pipeline } from '../setup/pipeline.ts';
import { openPipelineApi } from '../setup/pipeline-api.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

async function openAsked(options: Parameters<typeof openWithPlan>[0] = {}) {
  const opened = await openWithPlan(options);
  pipeline = opened.pipeline;
  const ask = await openPipelineApi(pipeline);
  const answer = async <Body>(path: string, body?: unknown): Promise<Body> => {
    const response = await ask(path, body);
    expect(response.status, await response.clone().text()).toBeLessThan(300);
    return (await response.json()) as Body;
  };
  const preview = async () => {
    const { subscriptions } = await answer<InvoicePreviewBody>(
      `/v1/customers/${opened.caller.customerId}/invoice-preview`,
    );
    const [subscription] = subscriptions;
    if (subscription === undefined) throw new Error('there is no preview');
    return subscription;
  };
  const quote = async (promptTokenCount: number) => {
    const { totals } = await answer<{ totals: { invoiceAmount: { amount: string | null } } }>('/v1/quotes', {
      customerId: opened.caller.customerId,
      mode: 'merge',
      usage: [{ model: 'gpt-4o', promptTokenCount, completionTokenCount: 0 }],
    });
    return totals.invoiceAmount.amount;
  };
  return { ...opened, preview, quote };
}

async function settle(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) await pipeline.tick(6);
}

it('a price that changes in the middle: previews, what a quote adds, and the close agree, below the minimum and above', async () => {
  const { caller, preview, quote } = await openAsked();
  call(pipeline, caller, { hour: 3, prompt: 20_000_000, completion: 0 });
  await pipeline.tick(0);
  await settle(3);
  const { item } = await northwindOf(pipeline);
  const dearer = await priceLike(pipeline, item, { unitAmountDecimal: '0.002' });
  await pipeline.account.subscriptionItems.update(item.id, { price: dearer.id });
  await pipeline.tick(0);
  call(pipeline, caller, { hour: 19, prompt: 5_000_000, completion: 0 });
  await settle(2);
  // 200.00 at the price before and 100.00 at the one now, of a minimum of 500.00.
  const before = await preview();
  expect(before.total).toBe('500.00');
  expect(before.lines.find(({ kind }) => kind === 'minimum_top_up')?.amount).toBe('200.00');
  const quoted = [await quote(5_000_000), await quote(11_000_000)];
  expect(quoted).toEqual(['0.00', '20.00']);
  call(pipeline, caller, { hour: 30, prompt: 11_000_000, completion: 0 });
  for (const untilMs of [PERIOD_END_MS - 3 * HOUR_MS, PERIOD_END_MS - 1_000]) {
    pipeline.advanceTo(untilMs);
    await pipeline.run();
  }
  const after = await preview();
  expect(after.total).toBe('520.00');
  await runUntil(pipeline, 3, 60);
  const { invoice, content } = await closedOf(pipeline, caller);
  expect(content.differences).toEqual([]);
  expect(invoice?.totalMinor).toBe(52_000n);
});

it('usage without an invoice that is taken up stands on the preview of the next one as it will on that', async () => {
  const { caller, preview } = await openAsked({ scenario: { lives: {} } });
  call(pipeline, caller, { hour: 3, prompt: 60_000_000, completion: 0 });
  await pipeline.tick(0);
  await settle(3);
  const { customer, subscription, items } = await northwindOf(pipeline);
  await pipeline.account.subscriptions.cancel(subscription.id);
  await settle(1);
  await pipeline.account.subscriptions.create({
    customer: customer.id,
    items: items.map(({ price }) => ({ price: price.id })),
    billing_cycle_anchor: PERIOD_END_MS / 1_000,
  });
  await pipeline.tick(0);
  for (const untilMs of [PERIOD_END_MS - 3 * HOUR_MS, PERIOD_END_MS - 1_000]) {
    pipeline.advanceTo(untilMs);
    await pipeline.run();
  }
  const { total, lines, totals } = await preview();
  expect(lines.filter(({ kind }) => kind === 'late_usage').map(({ amount }) => amount)).toEqual(['600.00']);
  await runUntil(pipeline, 4, 60);
  const { invoice } = await closedOf(pipeline, caller);
  expect(invoice?.status).not.toBe('draft');
  expect([total, totals.total]).toEqual(Array(2).fill(formatMinor(invoice?.totalMinor ?? 0n, 'usd')));
});
