import { afterEach, expect, it } from 'vitest';
import { getCertificate } from '../../src/closing/certificates.ts';
import { seedPlans } from '../../src/plans/seed.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { call, callersOf, closeOf, openClosing, runUntil, SCALE_PLAN_PRICES } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import { balance, type Pipeline, START_MS } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const NEXT_END_MS = Date.UTC(2026, 10, 2, 12);

async function openWithMinimum() {
  pipeline = await openClosing({ stripe: { tieredPrices: SCALE_PLAN_PRICES } });
  await seedPlans(pipeline.deps.database, new Date(START_MS));
  const callers = callersOf(pipeline);
  for (const caller of callers) call(pipeline, caller, { hour: 3, prompt: 1_000_000, completion: 200_000 });
  await runUntil(pipeline, 0, 18 * 60);
  return callers;
}

async function invoiceOf(customerId: string | undefined) {
  const { close } = await closeOf(pipeline, customerId);
  const invoice = await pipeline.deps.invoicing.readInvoice(close.invoiceId);
  if (invoice === null) throw new Error('the invoice is gone');
  return { close, invoice, items: invoice.lines.filter((line) => line.invoiceItemId !== null) };
}

describeForBothDrafts('a plan with a minimum', () => {
  it('tops the invoice up to it, says so on the line and in the certificate, and leaves others alone', async () => {
    const [first, second] = await openWithMinimum();
    await runUntil(pipeline, 3, 60);
    const { close, invoice, items } = await invoiceOf(first?.customerId);
    expect(close.state).toBe('finalized');
    expect(invoice.totalMinor).toBe(50_000n);
    expect(items).toMatchObject([
      {
        amountMinor: 48_800n,
        description: 'Scale, top-up to the minimum of 500.00 USD',
        periodStart: close.periodStart,
        periodEnd: close.periodEnd,
      },
    ]);
    const certificate = await getCertificate(pipeline.deps.database, close.invoiceId);
    expect(certificate.driftAmountMinor).toBe(0n);
    expect(JSON.parse(certificate.content)).toMatchObject({
      otherLines: [],
      minimums: [{ planId: 'scale', minimumMinor: '50000', linesMinor: '1200', topUpMinor: '48800' }],
    });
    expect((await invoiceOf(second?.customerId)).items).toEqual([]);
    expect(await balance(pipeline)).toMatchObject({ drift: 0n, quarantined: 0n });
  });

  it('adds nothing where the usage reaches it', async () => {
    const [first] = await openWithMinimum();
    call(pipeline, first, { hour: 4, ingestedAtHour: 36.5, prompt: 60_000_000, completion: 0 });
    await runUntil(pipeline, 5, 60);
    const { close, invoice, items } = await invoiceOf(first?.customerId);
    expect(close.state).toBe('finalized');
    expect(items).toEqual([]);
    expect(invoice.totalMinor).toBe(61_200n);
  });

  it.each(['before', 'after'] as const)('a crash %s the item is made leaves one item', async (when) => {
    const [first] = await openWithMinimum();
    const { invoicing } = pipeline.deps;
    let crashCount = 0;
    pipeline.deps.invoicing = {
      ...invoicing,
      createInvoiceItem: async (item, signal) => {
        crashCount += 1;
        if (crashCount === 1 && when === 'before') throw new Error('killed');
        const made = await invoicing.createInvoiceItem(item, signal);
        if (crashCount === 1) throw new Error('killed');
        return made;
      },
    };
    await runUntil(pipeline, 6, 30);
    const { close, invoice, items } = await invoiceOf(first?.customerId);
    expect(crashCount).toBe(when === 'before' ? 2 : 1);
    expect(close.state).toBe('finalized');
    expect(items).toHaveLength(1);
    expect(invoice.totalMinor).toBe(50_000n);
  });

  it('has paid for late usage of its period as far as the top-up goes', async () => {
    const [first] = await openWithMinimum();
    await runUntil(pipeline, 3, 60);
    // 600 dollars late, of which the top-up of 488 covers so much.
    call(pipeline, first, { hour: 7, ingestedAtHour: 40, prompt: 60_000_000, completion: 0 });
    await runUntil(pipeline, 7, 60);
    pipeline.advanceTo(NEXT_END_MS - HOUR_MS);
    await pipeline.run();
    for (let hour = 0; hour < 5; hour += 1) await pipeline.tick(1);
    const { close, items } = await invoiceOf(first?.customerId);
    expect([close.state, close.periodEnd.getTime()]).toEqual(['finalized', NEXT_END_MS]);
    // The late usage of the period before counts for no minimum of this one.
    expect(items.map((item) => item.amountMinor).sort()).toEqual([11_200n, 50_000n]);
    expect(
      await pipeline.deps.database
        .selectFrom('late_items')
        .select(['amount_minor', 'absorbed_minor'])
        .execute(),
    ).toEqual([{ amount_minor: 11_200n, absorbed_minor: 48_800n }]);
    expect((await getCertificate(pipeline.deps.database, close.invoiceId)).driftAmountMinor).toBe(0n);
  });
});
