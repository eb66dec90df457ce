import { afterEach, expect, it } from 'vitest';
import { getCertificate } from '../../src/closing/certificates.ts';
import { seedPlans } from '../../src/plans/seed.ts';
import { decideInvoiceStatement } from '../../src/statements/decide.ts';
import { gatherInvoiceStatement } from '../../src/statements/gather.ts';
import { recordWebhookEvent } from '../../src/webhook-events/events.ts';
import {
  type Caller,
  call,
  callersOf,
  closeOf,
  openClosing,
  runUntil,
  SCALE_PLAN_PRICES,
} from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import { balance, type Pipeline, START_MS } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

type Behavior = 'create_prorations' | 'always_invoice' | 'none';

async function open(): Promise<Caller> {
  pipeline = await openClosing({ stripe: { tieredPrices: SCALE_PLAN_PRICES } });
  await seedPlans(pipeline.deps.database, new Date(START_MS));
  const [first] = callersOf(pipeline);
  if (first === undefined) throw new Error('the world has changed');
  return first;
}

/** The first customer's item for prompt tokens, as Stripe has it. */
async function promptItem() {
  const { account } = pipeline;
  const customers = (await account.customers.list({ limit: 100 })).data;
  const customer = customers.find((candidate) => candidate.metadata.tenant_id === 'northwind');
  const subscription = (await account.subscriptions.list({ customer: customer?.id ?? '' })).data[0];
  const items = await account.subscriptionItems.list({ subscription: subscription?.id ?? '', limit: 100 });
  const item = items.data.find(
    ({ price }) =>
      price.metadata.tallystick_model === 'gpt-4o' && price.metadata.tallystick_token_type === 'prompt',
  );
  if (item === undefined) throw new Error('the world has changed');
  return item;
}

/** Gives the item another price of the same plan, product and meter. */
async function swapPrice(unitAmountDecimal: string, behavior: Behavior = 'create_prorations') {
  const { account } = pipeline;
  const item = await promptItem();
  const { price } = item;
  const other = await account.prices.create({
    product: String(price.product),
    currency: price.currency,
    unit_amount_decimal: unitAmountDecimal as never,
    metadata: price.metadata,
    recurring: { interval: 'month', usage_type: 'metered', meter: price.recurring?.meter ?? '' },
  });
  await account.subscriptionItems.update(item.id, { price: other.id, proration_behavior: behavior });
}

/** 40 M tokens before the price changes at 18:00, and 5 M after. */
async function useAndSwap(unitAmountDecimal: string, behavior?: Behavior) {
  const caller = await open();
  call(pipeline, caller, { hour: 3, prompt: 40_000_000, completion: 0 });
  await pipeline.tick(0);
  for (let round = 0; round < 3; round += 1) await pipeline.tick(6);
  await swapPrice(unitAmountDecimal, behavior);
  await pipeline.tick(0);
  call(pipeline, caller, { hour: 22, prompt: 5_000_000, completion: 0 });
  await runUntil(pipeline, 0, 9 * 60);
  await runUntil(pipeline, 3, 60);
  return await result(caller);
}

async function result(caller: Caller) {
  const { database, invoicing } = pipeline.deps;
  const { close, steps } = await closeOf(pipeline, caller.customerId);
  const invoice = await invoicing.readInvoice(close.invoiceId);
  const certificate = await getCertificate(database, close.invoiceId);
  const statement = await statementOf(close.invoiceId);
  const content = JSON.parse(certificate.content);
  return { close, states: steps.map(({ state }) => state), invoice, certificate, content, statement };
}

async function statementOf(invoiceId: string) {
  const { database, clock, invoicing, billing } = pipeline.deps;
  const dependencies = { database, clock, invoicing, billing, previewCache: new Map(), version: 'test' };
  return decideInvoiceStatement(await gatherInvoiceStatement(dependencies, invoiceId));
}

describeForBothDrafts('an item that gets another price within its period', () => {
  it('40 M tokens at the old price and 5 M at the new one come to the minimum of 500.00, and are all usage', async () => {
    const { close, states, invoice, certificate, content, statement } = await useAndSwap('0.001');
    expect(close.state).toBe('finalized');
    expect(states).not.toContain('held');
    expect(invoice?.totalMinor).toBe(50_000n);
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    expect(content.otherLines).toEqual([]);
    expect(content.minimums).toMatchObject([{ linesMinor: '45000', topUpMinor: '5000' }]);
    expect(content.period).toEqual({ start: '2026-10-01T00:00:00.000Z', end: '2026-10-02T12:00:00.000Z' });
    const used = content.meters.filter((meter: { pushedTokens: string }) => meter.pushedTokens !== '0');
    expect(used).toMatchObject([
      { pushedTokens: '5000000', invoiceAmountMinor: '5000', ratedAmountMinor: '5000' },
      { pushedTokens: '40000000', invoiceAmountMinor: '40000', ratedAmountMinor: '40000', standsStill: true },
    ]);
    expect(invoice?.customFields).toContainEqual({ name: 'Tokens', value: '45,000,000' });
    expect(statement.totals).toMatchObject({ tokenCount: 45_000_000n, usageMinor: 45_000n });
    const { byDay, byUser, byModel, byFeature } = statement;
    for (const { rest, rows } of [byDay, byUser, byModel, byFeature]) {
      expect([rest, rows.reduce((sum, row) => sum + row.tokenCount, 0n)]).toEqual([null, 45_000_000n]);
    }
    expect(statement.days.flatMap(({ models }) => models.map(([, count]) => count))).toEqual([45_000_000n]);
    expect(statement.lines.map(({ kind }) => kind)).not.toContain('other');
    expect(await balance(pipeline)).toMatchObject({ drift: 0n, quarantined: 0n });
  });

  it.each([
    ['more', '0.002', 10_000n],
    ['less', '0.0005', 2_500n],
  ])('costs what each part costs, where the new price is %s', async (_, unitAmountDecimal, after) => {
    const { close, invoice, certificate, content, statement } = await useAndSwap(unitAmountDecimal);
    expect(close.state).toBe('finalized');
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    expect(content.minimums).toMatchObject([{ linesMinor: String(40_000n + after) }]);
    expect(invoice?.totalMinor).toBe(50_000n);
    expect(statement.totals).toMatchObject({ tokenCount: 45_000_000n, usageMinor: 40_000n + after });
  });

  it('is billed at once, and counts for the minimum all the same', async () => {
    const { close, invoice, certificate, content } = await useAndSwap('0.001', 'always_invoice');
    expect(close.state).toBe('finalized');
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    expect(content.uninvoiced).toBeUndefined();
    expect(content.minimums).toMatchObject([{ linesMinor: '45000', topUpMinor: '5000' }]);
    expect(invoice?.totalMinor).toBe(10_000n);
    const others = await pipeline.deps.database
      .selectFrom('invoices')
      .select(['invoice_id', 'total_minor'])
      .where('customer_id', '=', 'northwind')
      .where('invoice_id', '<>', close.invoiceId)
      .execute();
    expect(others).toMatchObject([{ total_minor: 40_000n }]);
    const { lines, totals, byUser } = await statementOf(others[0]?.invoice_id ?? '');
    expect(lines.map(({ kind }) => kind)).toEqual(['usage']);
    expect([totals.tokenCount, byUser.rest]).toEqual([40_000_000n, null]);
  });

  it('is forgone by Stripe: the certificate says what was delivered and is on no line', async () => {
    const { close, states, invoice, certificate, content } = await useAndSwap('0.001', 'none');
    expect(close.state).toBe('finalized');
    expect(states).not.toContain('held');
    expect(content.uninvoiced).toMatchObject([
      {
        eventName: 'gpt_4o_prompt_tokens',
        period: { start: '2026-10-01T00:00:00.000Z', end: '2026-10-01T18:00:00.000Z' },
        tokenCount: '40000000',
      },
    ]);
    expect(content.differences).toMatchObject([{ kind: 'uninvoiced', expected: '40000000', found: '0' }]);
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([40_000_000n, 0n]);
    expect(content.minimums).toMatchObject([{ linesMinor: '5000', topUpMinor: '45000' }]);
    expect(invoice?.totalMinor).toBe(50_000n);
  });

  it('and what was used before and came after is late usage at the price of then', async () => {
    const caller = await open();
    call(pipeline, caller, { hour: 3, prompt: 40_000_000, completion: 0 });
    // Before and after the end of the period: once its item is made, Stripe adds nothing to it.
    call(pipeline, caller, { hour: 17, ingestedAtHour: 20, prompt: 2_000_000, completion: 0 });
    call(pipeline, caller, { hour: 16, ingestedAtHour: 37, prompt: 1_000_000, completion: 0 });
    await pipeline.tick(0);
    for (let round = 0; round < 3; round += 1) await pipeline.tick(6);
    await swapPrice('0.002');
    await pipeline.tick(0);
    await runUntil(pipeline, 0, 9 * 60);
    await runUntil(pipeline, 3, 60);
    const { close, invoice, certificate, content } = await result(caller);
    expect(close.state).toBe('finalized');
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    expect(content.lateItems).toMatchObject([{ tokenCount: '3000000', amountMinor: '3000' }]);
    expect(content.minimums).toMatchObject([{ linesMinor: '43000' }]);
    expect(invoice?.totalMinor).toBe(50_000n);
    expect(await balance(pipeline)).toMatchObject({ drift: 0n, quarantined: 0n });
  });

  it('and before which nothing was used: what comes late for that time is billed at the price of then', async () => {
    const caller = await open();
    call(pipeline, caller, { hour: 3, ingestedAtHour: 20, prompt: 1_000_000, completion: 0 });
    await pipeline.tick(0);
    for (let round = 0; round < 3; round += 1) await pipeline.tick(6);
    await swapPrice('0.002');
    await pipeline.tick(0);
    call(pipeline, caller, { hour: 22, prompt: 5_000_000, completion: 0 });
    await runUntil(pipeline, 0, 9 * 60);
    await runUntil(pipeline, 3, 60);
    const { content } = await result(caller);
    expect(content.lateItems).toMatchObject([
      {
        tokenCount: '1000000',
        amountMinor: '1000',
        period: { start: '2026-10-01T00:00:00.000Z', end: '2026-10-01T18:00:00.000Z' },
      },
    ]);
    expect(content.minimums).toMatchObject([{ linesMinor: '11000' }]);
  });

  it('twice before the catalog looks: the price in the middle is asked for by its line', async () => {
    const caller = await open();
    call(pipeline, caller, { hour: 3, prompt: 40_000_000, completion: 0 });
    call(pipeline, caller, { hour: 19, prompt: 10_000_000, completion: 0 });
    await pipeline.tick(0);
    for (let round = 0; round < 3; round += 1) await pipeline.tick(6);
    await swapPrice('0.002');
    for (const hours of [3, 2]) {
      pipeline.advance(hours);
      // Webhooks come, and that of the change is not among them.
      await recordWebhookEvent(pipeline.deps.database, {
        webhookEventId: `evt_other_${hours}`,
        provider: 'stripe',
        eventType: 'payout.paid',
        relatedObjectId: null,
        payload: {},
        receivedAt: pipeline.clock.now(),
        needsWork: false,
      });
      await pipeline.run(
        'refresh-catalog',
        'collect-usage',
        'ingest-events',
        'aggregate-usage',
        'push-usage',
      );
    }
    // Stripe has added it up by then.
    pipeline.advance(1);
    await swapPrice('0.001');
    await pipeline.tick(0);
    call(pipeline, caller, { hour: 25, prompt: 5_000_000, completion: 0 });
    await runUntil(pipeline, 0, 9 * 60);
    await runUntil(pipeline, 3, 60);
    const { close, invoice, certificate, content, statement } = await result(caller);
    expect(close.state).toBe('finalized');
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    const used = content.meters.filter((meter: { pushedTokens: string }) => meter.pushedTokens !== '0');
    expect(used).toMatchObject([
      { pushedTokens: '5000000', ratedAmountMinor: '5000' },
      { pushedTokens: '40000000', ratedAmountMinor: '40000' },
      { pushedTokens: '10000000', ratedAmountMinor: '20000', price: { unitAmountDecimal: '0.002' } },
    ]);
    expect(invoice?.totalMinor).toBe(65_000n);
    expect(statement.totals).toMatchObject({ tokenCount: 55_000_000n, usageMinor: 65_000n });
  });
});
