import { sql } from 'kysely';
import { afterEach, expect, it } from 'vitest';
import { closeInvoices } from '../../jobs/close/close-invoice.ts';
import type { JobDependencies } from '../../jobs/dependencies.ts';
import { countStripeReads } from '../../src/billing/stripe-reads.ts';
import { getCertificate, isCertificateSound } from '../../src/closing/certificates.ts';
import { releaseClose } from '../../src/closing/desk.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { call, callersOf, closeOf, openClosing, PERIOD_END_MS, runUntil, states } from '../setup/closing.ts';
import { describeForBothDrafts, draftQuantities } from '../setup/drafts.ts';
import { balance, outsideWrites, type Pipeline } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const all = (state: string) =>
  Object.fromEntries(callersOf(pipeline).map((caller) => [caller.customerId, state]));

/** Some usage of each customer, settled and pushed by the end of the periods; the drafts are claimed. */
async function openWithUsage(options: Parameters<typeof openClosing>[0] = {}) {
  pipeline = await openClosing(options);
  const callers = callersOf(pipeline);
  for (const caller of callers) call(pipeline, caller, { hour: 3, prompt: 1_000_000, completion: 200_000 });
  await runUntil(pipeline, 0, 18 * 60);
  return callers;
}

async function stripeCustomerOf(customerId: string): Promise<string | null> {
  const row = await pipeline.deps.database
    .selectFrom('customers')
    .select('stripe_customer_id')
    .where('customer_id', '=', customerId)
    .executeTakeFirstOrThrow();
  return row.stripe_customer_id;
}

const advanceTo = (hoursAfterEnd: number) => pipeline.advanceTo(PERIOD_END_MS + hoursAfterEnd * HOUR_MS);

describeForBothDrafts('closing a period', () => {
  it('finalizes each invoice once its usage is proven, describes and certifies it, and does nothing twice', async () => {
    const callers = await openWithUsage();
    call(pipeline, callers[0], { hour: 35, minute: 50, prompt: 7_000, completion: 1_000 });
    await runUntil(pipeline, 3, 60);
    expect(await states(pipeline)).toEqual(all('finalized'));
    const { close, steps } = await closeOf(pipeline, callers[0]?.customerId);
    expect(steps.map((step) => step.state)).toEqual([
      'found',
      'claimed',
      'collected',
      'rescanned',
      'settled',
      'pushed',
      'compared',
      'annotated',
      'issued',
      'finalized',
    ]);
    const { database, invoicing } = pipeline.deps;
    const certificate = await getCertificate(database, close.invoiceId);
    expect(isCertificateSound(certificate)).toBe(true);
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    expect(JSON.parse(certificate.content)).toMatchObject({
      outcome: 'finalized',
      differences: [],
      totalMinor: String(close.totalMinor),
    });
    const invoice = await invoicing.readInvoice(close.invoiceId);
    expect(invoice?.lines.map((line) => line.description)).toContain('GPT-4o input tokens, 1,007,000 tokens');
    expect(invoice?.memo).toContain('Token usage of');
    const readCount = await countStripeReads(database, 'close', pipeline.clock.now());
    // Of drafts that stand still the sums are read, too: two meters of each.
    expect(readCount).toBe(draftQuantities() === 'follow' ? 3 : 3 + 6);
    pipeline.calls.length = 0;
    await runUntil(pipeline, 5, 60);
    expect(outsideWrites(pipeline.calls).filter((path) => path.includes('invoice'))).toEqual([]);
    expect((await closeOf(pipeline, callers[0]?.customerId)).close.confirmedAt).not.toBeNull();
    expect((await closeOf(pipeline, callers[0]?.customerId)).steps).toHaveLength(10);
  });

  it('certifies what is final, and not what was proven before', async () => {
    const callers = await openWithUsage({ stripe: { aggregationDelayMs: 0 } });
    const { invoicing, billing } = pipeline.deps;
    const { customerId = '' } = callers[0] ?? {};
    // Somebody else sends to the meter at the last moment.
    pipeline.deps.invoicing = {
      ...invoicing,
      finalizeInvoice: async (invoiceId, options, signal) => {
        const invoice = await invoicing.readInvoice(invoiceId);
        if (invoice?.stripeCustomerId === (await stripeCustomerOf(customerId)))
          await billing.sendMeterEvent({
            eventName: 'gpt_4o_prompt_tokens',
            stripeCustomerId: invoice.stripeCustomerId,
            value: 40n,
            identifier: 'foreign',
            timestamp: new Date(PERIOD_END_MS - 2 * HOUR_MS),
          });
        return await invoicing.finalizeInvoice(invoiceId, options, signal);
      },
    };
    await runUntil(pipeline, 3, 60);
    expect(await states(pipeline)).toEqual(all('finalized'));
    const { close } = await closeOf(pipeline, customerId);
    const certificate = await getCertificate(pipeline.deps.database, close.invoiceId);
    expect(JSON.parse(certificate.content).differences).toMatchObject([
      { kind: 'quantity', subject: 'gpt_4o_prompt_tokens', expected: '1000000', found: '1000040' },
    ]);
    expect(certificate.driftTokenCount).toBe(40n);
  });

  it('brings a late row that comes between the claim and the end onto the invoice', async () => {
    const callers = await openWithUsage();
    call(pipeline, callers[0], { hour: 5, ingestedAtHour: 37.5, prompt: 123_000, completion: 0 });
    await runUntil(pipeline, 3.5, 30);
    expect(await states(pipeline)).toEqual(all('finalized'));
    const { close } = await closeOf(pipeline, callers[0]?.customerId);
    const invoice = await pipeline.deps.invoicing.readInvoice(close.invoiceId);
    expect(invoice?.lines.map((line) => line.description)).toContain('GPT-4o input tokens, 1,123,000 tokens');
  });

  it('holds one invoice that differs and lets the others go, until a person releases it with a reason', async () => {
    const callers = await openWithUsage();
    const { database } = pipeline.deps;
    // What the ledger believes to be delivered, Stripe never got.
    await sql`update meter_pushes set delta_token_count = delta_token_count + 500, sent_value = sent_value + 500
              where customer_id = ${callers[0]?.customerId} and event_name = 'gpt_4o_prompt_tokens'`.execute(
      database,
    );
    await runUntil(pipeline, 4, 60);
    expect(await states(pipeline)).toEqual({ ...all('finalized'), [callers[0]?.customerId ?? '']: 'held' });
    const { close } = await closeOf(pipeline, callers[0]?.customerId);
    expect(close.difference?.[0]).toEqual({
      kind: 'quantity',
      subject: 'gpt_4o_prompt_tokens',
      expected: '1000500',
      found: '1000000',
    });
    const release = { invoiceId: close.invoiceId, actor: 'somebody', now: pipeline.clock.now() };
    await expect(
      database.transaction().execute((transaction) => releaseClose(transaction, { ...release, reason: ' ' })),
    ).rejects.toMatchObject({
      code: 'VALIDATION',
    });
    await database
      .transaction()
      .execute((transaction) =>
        releaseClose(transaction, { ...release, reason: 'agreed with the customer' }),
      );
    await expect(
      database
        .transaction()
        .execute((transaction) => releaseClose(transaction, { ...release, reason: 'again' })),
    ).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await pipeline.run('close-invoices');
    expect(await states(pipeline)).toEqual(all('finalized'));
    const certificate = await getCertificate(database, close.invoiceId);
    expect(certificate.driftTokenCount).toBe(500n);
    expect(JSON.parse(certificate.content).release).toEqual({
      by: 'somebody',
      reason: 'agreed with the customer',
    });
    const audit = await database.selectFrom('audit_log').select('action').execute();
    expect(audit.map((row) => row.action)).toContain('close.release');
  });

  it('takes a held invoice up again by itself when the difference is gone', async () => {
    const callers = await openWithUsage();
    const { database } = pipeline.deps;
    const shift = (count: number) =>
      sql`update meter_pushes set delta_token_count = delta_token_count + ${count}
          where customer_id = ${callers[0]?.customerId} and event_name = 'gpt_4o_prompt_tokens'`.execute(
        database,
      );
    await shift(7);
    await runUntil(pipeline, 3, 60);
    expect((await closeOf(pipeline, callers[0]?.customerId)).close.state).toBe('held');
    await shift(-7);
    await runUntil(pipeline, 4, 30);
    expect(await states(pipeline)).toEqual(all('finalized'));
  });

  it('lets Stripe finalize at the deadline what nobody decided, and certifies what it shows', async () => {
    const callers = await openWithUsage();
    await sql`update meter_pushes set delta_token_count = delta_token_count + 500
              where customer_id = ${callers[0]?.customerId} and event_name = 'gpt_4o_prompt_tokens'`.execute(
      pipeline.deps.database,
    );
    await runUntil(pipeline, 3, 60);
    advanceTo(25);
    await pipeline.run();
    const { close } = await closeOf(pipeline, callers[0]?.customerId);
    expect(close.state).toBe('finalized_without_us');
    const certificate = await getCertificate(pipeline.deps.database, close.invoiceId);
    expect(certificate.driftTokenCount).toBe(500n);
  });

  it('leaves no invoice a draft when the service is dead', async () => {
    await openWithUsage();
    expect(await states(pipeline)).toEqual(all('claimed'));
    advanceTo(24.1);
    expect(new Set(pipeline.stripe.invoiceReport().map((invoice) => invoice.status))).toEqual(
      new Set(['paid']),
    );
    await pipeline.run();
    expect(await states(pipeline)).toEqual(all('finalized_without_us'));
  });

  it('records an invoice that a person finalized, and one that was deleted half-way', async () => {
    const callers = await openWithUsage();
    const [first, second] = await Promise.all([
      closeOf(pipeline, callers[0]?.customerId),
      closeOf(pipeline, callers[1]?.customerId),
    ]);
    await pipeline.account.invoices.finalizeInvoice(first.close.invoiceId);
    await pipeline.account.invoices.del(second.close.invoiceId);
    await runUntil(pipeline, 3, 60);
    expect(await states(pipeline)).toEqual({
      ...all('finalized'),
      [callers[0]?.customerId ?? '']: 'finalized_without_us',
      [callers[1]?.customerId ?? '']: 'deleted',
    });
  });

  it('leaves a draft alone that is kept while collection is paused', async () => {
    pipeline = await openClosing({
      scenario: { lives: { 0: { pause: { fromDay: 0, behavior: 'keep_as_draft' } } } },
    });
    const callers = callersOf(pipeline);
    for (const caller of callers) call(pipeline, caller, { hour: 3, prompt: 1_000_000, completion: 0 });
    await runUntil(pipeline, 0, 18 * 60);
    await runUntil(pipeline, 3, 60);
    expect(await states(pipeline)).toEqual({
      ...all('finalized'),
      [callers[0]?.customerId ?? '']: 'left_alone',
    });
    expect(
      pipeline.stripe
        .invoiceReport()
        .map((invoice) => invoice.status)
        .sort(),
    ).toEqual(['draft', 'paid', 'paid']);
  });

  it('bills late usage once, as an item of the next invoice, at the price and period it was used in', async () => {
    const callers = await openWithUsage();
    await runUntil(pipeline, 3, 60);
    expect(await states(pipeline)).toEqual(all('finalized'));
    call(pipeline, callers[0], { hour: 7, ingestedAtHour: 40, prompt: 2_000_000, completion: 0 });
    await runUntil(pipeline, 7, 60);
    expect((await balance(pipeline)).byReason).toEqual({ carry_to_next_invoice: 2_000_000n });
    const nextEndMs = Date.UTC(2026, 10, 2, 12);
    pipeline.advanceTo(nextEndMs - HOUR_MS);
    await pipeline.run();
    for (let hour = 0; hour < 5; hour += 1) await pipeline.tick(1);
    const { database, invoicing } = pipeline.deps;
    const { close } = await closeOf(pipeline, callers[0]?.customerId);
    expect(close.periodEnd.getTime()).toBe(nextEndMs);
    expect(close.state).toBe('finalized');
    const invoice = await invoicing.readInvoice(close.invoiceId);
    const items = invoice?.lines.filter((line) => line.invoiceItemId !== null) ?? [];
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({
      amountMinor: 600n,
      periodStart: new Date(PERIOD_END_MS - 36 * HOUR_MS),
    });
    expect(items[0]?.description).toContain('GPT-4o input tokens, 2,000,000 tokens, used ');
    expect(await database.selectFrom('late_items').select(['state', 'token_count']).execute()).toEqual([
      { state: 'invoiced', token_count: 2_000_000n },
    ]);
    expect(await balance(pipeline)).toMatchObject({
      awaiting: 0n,
      quarantined: 0n,
      uninvoiced: 0n,
      drift: 0n,
    });
    expect(JSON.parse((await getCertificate(database, close.invoiceId)).content)).toMatchObject({
      carriedInTokens: '2000000',
      differences: [],
    });
    await pipeline.tick(1);
    expect(await database.selectFrom('late_items').selectAll().execute()).toHaveLength(1);
  });
});

describeForBothDrafts('a crash while a period is being closed', () => {
  const METHODS = [
    'claimInvoice',
    'readInvoice',
    'annotateInvoice',
    'finalizeInvoice',
    'createInvoiceItem',
  ] as const;

  it.each(['before', 'after'] as const)('%s any call leaves an invoice that is closed once', async (when) => {
    pipeline = await openClosing();
    const callers = callersOf(pipeline);
    for (const caller of callers) call(pipeline, caller, { hour: 3, prompt: 1_000_000, completion: 200_000 });
    const { invoicing } = pipeline.deps;
    const struck = new Set<string>();
    const crashing = Object.fromEntries(
      METHODS.map((method) => [
        method,
        async (...given: unknown[]) => {
          const key = `${method} ${JSON.stringify(given[0])}`;
          const isFirst = !struck.has(key);
          struck.add(key);
          if (isFirst && when === 'before') throw new Error(`killed before ${method}`);
          const result = await (invoicing[method] as (...all: unknown[]) => Promise<unknown>)(...given);
          if (isFirst && when === 'after') throw new Error(`killed after ${method}`);
          return result;
        },
      ]),
    );
    pipeline.deps.invoicing = { ...invoicing, ...crashing } as JobDependencies['invoicing'];
    await runUntil(pipeline, 0, 18 * 60);
    for (let round = 0; round < 8; round += 1) await pipeline.tick(0.5);
    expect(await states(pipeline)).toEqual(all('finalized'));
    const finalized = pipeline.calls.filter((path) => path.endsWith('/finalize'));
    expect(finalized.length).toBeLessThanOrEqual(when === 'before' ? 3 : 6);
    expect(await balance(pipeline)).toMatchObject({ drift: 0n, due: 0n });
  });

  it('and two workers at once close each invoice once', async () => {
    await openWithUsage();
    advanceTo(2.5);
    await pipeline.run('sync-catalog', 'collect-usage', 'ingest-events', 'aggregate-usage', 'push-usage');
    // Without the lease that keeps them apart.
    await Promise.allSettled([closeInvoices(pipeline.deps), closeInvoices(pipeline.deps)]);
    for (let round = 0; round < 3; round += 1) await pipeline.tick(0.5);
    expect(await states(pipeline)).toEqual(all('finalized'));
    const rows = await pipeline.deps.database.selectFrom('close_certificates').selectAll().execute();
    expect(rows).toHaveLength(3);
  });
});

describeForBothDrafts('a certificate', () => {
  it('cannot be changed or removed', async () => {
    await openWithUsage();
    await runUntil(pipeline, 3, 60);
    const { database } = pipeline.deps;
    await expect(database.updateTable('close_certificates').set({ sha256: 'x' }).execute()).rejects.toThrow(
      'never changed',
    );
    await expect(database.deleteFrom('close_certificates').execute()).rejects.toThrow('never changed');
    await expect(sql`truncate close_certificates`.execute(database)).rejects.toThrow('never changed');
    const { close } = await closeOf(pipeline, callersOf(pipeline)[0]?.customerId);
    const certificate = await getCertificate(database, close.invoiceId);
    expect(
      isCertificateSound({ ...certificate, content: certificate.content.replace('finalized', 'x') }),
    ).toBe(false);
  });
});
