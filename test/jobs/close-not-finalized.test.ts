import { afterEach, beforeEach, expect, it } from 'vitest';
import { call, callersOf, closeOf, openClosing, runUntil } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import type { Pipeline } from '../setup/pipeline.ts';

let pipeline: Pipeline;
let customerId: string;
beforeEach(async () => {
  pipeline = await openClosing({ scenario: { customerCount: 2, userCount: 2 } });
  for (const one of callersOf(pipeline)) call(pipeline, one, { hour: 3, prompt: 1_000_000 });
  customerId = callersOf(pipeline)[0]?.customerId ?? '';
});
afterEach(() => pipeline.close());

async function finalizationCount(): Promise<number> {
  const { invoiceId } = (await closeOf(pipeline, customerId)).close;
  return pipeline.calls.filter((made) => made === `POST /v1/invoices/${invoiceId}/finalize`).length;
}

describeForBothDrafts('an invoice that Stripe does not finalize', () => {
  it('is held with code, reason and what to do, tried ever more rarely, and done once it is mended', async () => {
    const code = 'customer_tax_location_invalid';
    pipeline.stripe.refuseFinalizations(customerId, code);
    await runUntil(pipeline, 12, 60);
    const { close, steps } = await closeOf(pipeline, customerId);
    expect(close).toMatchObject({ state: 'held', lastError: expect.stringContaining(code) });
    expect(close.lastError).toContain('Not as things are');
    expect(close.lastError).toContain('Give the customer an address');
    expect(steps.at(-1)?.note).toBe(close.lastError);
    const tries = await finalizationCount();
    expect(tries).toBeGreaterThan(3);
    expect(tries).toBeLessThan(10);
    expect((await closeOf(pipeline, callersOf(pipeline)[1]?.customerId)).close.state).toBe('finalized');
    pipeline.stripe.refuseFinalizations(customerId, null);
    await runUntil(pipeline, 15, 60);
    expect((await closeOf(pipeline, customerId)).close).toMatchObject({
      state: 'finalized',
      lastError: null,
    });
  });

  it('is tried again by itself where it may pass, before anybody is told', async () => {
    await runUntil(pipeline, 1, 60);
    pipeline.stripe.refuseFinalizations(customerId, 'taxes_calculation_failed');
    await runUntil(pipeline, 4);
    const { close } = await closeOf(pipeline, customerId);
    expect(close.state).toBe('annotated');
    expect(close.lastError).toContain('taxes_calculation_failed');
    pipeline.stripe.refuseFinalizations(customerId, null);
    await runUntil(pipeline, 6);
    expect((await closeOf(pipeline, customerId)).close.state).toBe('finalized');
  });

  it('not even at its deadline stays open, for days, and is never given up', async () => {
    pipeline.stripe.refuseFinalizations(customerId, 'customer_tax_location_invalid');
    await runUntil(pipeline, 24, 120);
    const before = await finalizationCount();
    await runUntil(pipeline, 4 * 24, 240);
    const { close } = await closeOf(pipeline, customerId);
    expect(close).toMatchObject({ state: 'held', lastError: expect.stringContaining('address') });
    expect((await finalizationCount()) - before).toBeLessThan(4 * 3);
    pipeline.stripe.refuseFinalizations(customerId, null);
    await runUntil(pipeline, 5 * 24, 240);
    const { close: after } = await closeOf(pipeline, customerId);
    expect(after).toMatchObject({ state: 'finalized', lastError: null });
    expect(after.certificateSha256).not.toBeNull();
  });

  it('because nobody was there at its deadline is found then, with what Stripe says of it', async () => {
    await runUntil(pipeline, 1, 60);
    pipeline.stripe.refuseFinalizations(customerId, 'tax_id_invalid');
    pipeline.advance(26);
    await runUntil(pipeline, 28, 60);
    const { close } = await closeOf(pipeline, customerId);
    expect(close).toMatchObject({ state: 'held', lastError: expect.stringContaining('tax_id_invalid') });
    pipeline.stripe.refuseFinalizations(customerId, null);
    await runUntil(pipeline, 36, 120);
    expect((await closeOf(pipeline, customerId)).close.state).toBe('finalized_without_us');
  });
});
