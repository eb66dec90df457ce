import { afterEach, describe, expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { type ClosingWorld, FIRST_END_MS, openClosing } from './closing-world.ts';

let world: ClosingWorld;
afterEach(() => world.close());

const PERIOD = { start: new Date(FIRST_END_MS - 2 * HOUR_MS), end: new Date(FIRST_END_MS) };
const DEADLINE = new Date(FIRST_END_MS + 40 * HOUR_MS);

/** A draft of 1,500,000 prompt tokens, 4.50 USD. */
async function openDraft(options: Parameters<typeof openClosing>[0] = {}) {
  world = await openClosing(options);
  world.goTo(FIRST_END_MS - HOUR_MS);
  await world.use(1_500_000n, FIRST_END_MS - 2 * HOUR_MS);
  world.goTo(FIRST_END_MS + HOUR_MS);
  return world.invoiceId();
}

const tokenLine = async (invoiceId: string) => {
  const invoice = await world.invoicing.readInvoice(invoiceId);
  return invoice?.lines.find((line) => line.quantity === 1_500_000n);
};

describe('a draft that is closed', () => {
  test('is claimed with a deadline, annotated, finalized, and says all of it', async () => {
    const invoiceId = await openDraft();
    const { invoicing, reports } = world;
    const claim = { finalizeNoLaterThan: DEADLINE, idempotencyKey: 'close-1' };
    expect(await invoicing.claimInvoice(invoiceId, claim)).toBe('claimed');
    const line = await tokenLine(invoiceId);
    expect(
      await invoicing.annotateInvoice(invoiceId, {
        memo: 'November',
        footer: 'Thank you',
        customFields: [{ name: 'Period', value: '1 to 4 November 2026' }],
        metadata: { tallystick_certificate: 'abc' },
        lines: [{ lineId: line?.lineId ?? '', description: 'GPT-4o input tokens, 1,500,000 tokens' }],
        idempotencyKey: 'close-1-text',
      }),
    ).toBe('annotated');
    expect(await invoicing.readInvoice(invoiceId)).toMatchObject({
      status: 'draft',
      autoAdvance: true,
      automaticallyFinalizesAt: DEADLINE,
      finalizedAt: null,
      hostedUrl: null,
      metadata: { tallystick_close: 'close-1', tallystick_certificate: 'abc' },
      customerHasPaymentMethod: true,
      totalMinor: 450n,
    });
    // The text stays on the line although its quantity goes on.
    await world.use(500_000n, FIRST_END_MS - HOUR_MS);
    world.goTo(FIRST_END_MS + 30 * HOUR_MS);
    expect(reports()).toMatchObject([{ status: 'draft', total: '6.00' }]);
    expect(await invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'close-1-end' })).toMatchObject({
      invoice: { invoiceId, status: 'paid' },
    });
    const final = await invoicing.readInvoice(invoiceId);
    expect(final).toMatchObject({
      status: 'paid',
      finalizedAt: new Date(FIRST_END_MS + 30 * HOUR_MS),
      automaticallyFinalizesAt: null,
      memo: 'November',
      footer: 'Thank you',
      customFields: [{ name: 'Period', value: '1 to 4 November 2026' }],
    });
    expect(final?.hostedUrl).toMatch(/^https:/);
    expect(final?.lines.find((known) => known.lineId === line?.lineId)).toMatchObject({
      description: 'GPT-4o input tokens, 1,500,000 tokens',
      quantity: 2_000_000n,
    });
  });

  test('that nobody comes back for is finalized at its deadline', async () => {
    const invoiceId = await openDraft();
    await world.invoicing.claimInvoice(invoiceId, {
      finalizeNoLaterThan: DEADLINE,
      idempotencyKey: 'close-2',
    });
    world.goTo(DEADLINE.getTime() - 1_000);
    expect(world.reports()[0]?.status).toBe('draft');
    world.goTo(DEADLINE.getTime());
    expect(world.reports()[0]?.status).toBe('paid');
  });

  test('is claimed again although somebody has switched it off in between, under the same key', async () => {
    const invoiceId = await openDraft();
    const claim = { finalizeNoLaterThan: DEADLINE, idempotencyKey: 'close-3' };
    await world.invoicing.claimInvoice(invoiceId, claim);
    await world.sdk.invoices.update(invoiceId, { auto_advance: false });
    expect(await world.invoicing.readInvoice(invoiceId)).toMatchObject({ automaticallyFinalizesAt: null });
    expect(await world.invoicing.claimInvoice(invoiceId, claim)).toBe('claimed');
    expect(await world.invoicing.readInvoice(invoiceId)).toMatchObject({
      autoAdvance: true,
      automaticallyFinalizesAt: DEADLINE,
    });
  });

  test('that a person has finalized, or deleted, is told as such by every call', async () => {
    const invoiceId = await openDraft();
    const { invoicing, sdk } = world;
    await sdk.invoices.finalizeInvoice(invoiceId);
    const all = async (id: string) => [
      await invoicing.claimInvoice(id, { finalizeNoLaterThan: DEADLINE, idempotencyKey: 'a' }),
      await invoicing.annotateInvoice(id, { memo: 'Late', idempotencyKey: 'b' }),
      await invoicing.finalizeInvoice(id, { idempotencyKey: 'c' }),
    ];
    expect(await all(invoiceId)).toEqual(['already_final', 'already_final', 'already_final']);
    expect((await invoicing.readInvoice(invoiceId))?.memo).toBeNull();
    world.goTo(FIRST_END_MS + 31 * 24 * HOUR_MS);
    const next = world.invoiceId();
    expect(next).not.toBe(invoiceId);
    await sdk.invoices.del(next);
    expect(await invoicing.readInvoice(next)).toBeNull();
    expect(await all(next)).toEqual(['deleted', 'deleted', 'deleted']);
  });

  test('is refused a deadline that has passed', async () => {
    const invoiceId = await openDraft();
    await expect(
      world.invoicing.claimInvoice(invoiceId, {
        finalizeNoLaterThan: new Date(FIRST_END_MS),
        idempotencyKey: 'close-4',
      }),
    ).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
  });

  test.each([
    ['customFields', { customFields: Array(5).fill({ name: 'a', value: 'b' }) }],
    ['customFields[0].name', { customFields: [{ name: 'n'.repeat(41), value: 'b' }] }],
    ['customFields[0].value', { customFields: [{ name: 'n', value: 'v'.repeat(141) }] }],
    ['memo', { memo: 'm'.repeat(1_501) }],
    ['lines[0].description', { lines: [{ lineId: 'il_1', description: '' }] }],
    ['metadata key', { metadata: { ['k'.repeat(41)]: 'v' } }],
  ])('is not asked for what Stripe would refuse: %s', async (field, annotation) => {
    world = await openClosing();
    await expect(
      world.invoicing.annotateInvoice('in_any', { ...annotation, idempotencyKey: 'x' }),
    ).rejects.toMatchObject({ code: 'VALIDATION', context: { field } });
  });
});

describe('when Stripe falters', () => {
  test.each(['fail', 'fail_after', 'reset_before', 'reset_after', 'truncate', 'throttle'] as const)(
    'by %s, a draft is finalized all the same, and an item is made once',
    async (kind) => {
      const invoiceId = await openDraft();
      const { invoicing, standIn, id } = world;
      standIn.faults.add({ kind, path: '/v1/invoiceitems', count: 1 });
      standIn.faults.add({ kind, path: `/v1/invoices/${invoiceId}`, count: 1 });
      const item = {
        stripeCustomerId: id,
        invoiceId,
        currency: 'usd',
        description: 'Late',
        amountMinor: 7n,
        period: PERIOD,
        idempotencyKey: `item-${kind}`,
      };
      // The first call of it is a read; so the fault strikes that and, again, the write.
      const { invoiceItemId } = await invoicing.createInvoiceItem(item);
      standIn.faults.clear();
      standIn.faults.add({ kind, path: '/v1/invoiceitems', count: 2 });
      expect(await invoicing.createInvoiceItem(item)).toEqual({ invoiceItemId });
      const outcome = await invoicing.finalizeInvoice(invoiceId, { idempotencyKey: `end-${kind}` });
      expect(outcome).not.toBe('deleted');
      expect(await invoicing.listInvoiceItems(id)).toHaveLength(1);
      expect(world.reports()).toMatchObject([{ status: 'paid', total: '4.57' }]);
    },
  );

  test('and its answer is lost after the effect, the item is found by its key', async () => {
    const invoiceId = await openDraft();
    const { invoicing, standIn, id } = world;
    const item = {
      stripeCustomerId: id,
      invoiceId,
      currency: 'usd',
      description: 'Late',
      amountMinor: 7n,
      period: PERIOD,
      idempotencyKey: 'after',
    };
    await invoicing.listInvoiceItems(id);
    let posts = 0;
    const take = standIn.faults.take.bind(standIn.faults);
    standIn.faults.take = (path) => {
      // The second call is the write; its 500 comes after the effect.
      if (path === '/v1/invoiceitems') posts += 1;
      return posts === 2 && path === '/v1/invoiceitems' ? { kind: 'fail_after' } : take(path);
    };
    await invoicing.createInvoiceItem(item);
    expect(posts).toBe(3);
    expect(await invoicing.listInvoiceItems(id)).toHaveLength(1);
  });

  test('for longer than retries last, the caller hears that it may be tried again', async () => {
    const invoiceId = await openDraft({ stripe: { retryPolicy: { attemptCount: 2 } } });
    world.standIn.faults.add({ kind: 'reset_before' });
    await expect(world.invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'end' })).rejects.toMatchObject(
      { code: 'UPSTREAM_UNAVAILABLE', retry: true, outcomeUnknown: true },
    );
    world.standIn.faults.clear();
    expect(await world.invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'end' })).toMatchObject({
      invoice: { status: expect.any(String) },
    });
  });
});

describe('an item of a key', () => {
  test('is made once, also when Stripe has long forgotten the key', async () => {
    world = await openClosing();
    const { invoicing, goTo, id } = world;
    const item = {
      stripeCustomerId: id,
      currency: 'usd',
      description: 'GPT-4o input tokens of October, 1,000 tokens',
      quantity: 1_000n,
      unitAmountDecimal: '0.0003',
      period: PERIOD,
      idempotencyKey: 'late-1',
    };
    const first = await invoicing.createInvoiceItem(item);
    goTo(FIRST_END_MS + 26 * HOUR_MS);
    expect(await invoicing.createInvoiceItem(item)).toEqual(first);
    expect(await invoicing.listInvoiceItems(id)).toEqual([
      {
        ...first,
        stripeCustomerId: id,
        subscriptionId: null,
        invoiceId: world.invoiceId(),
        description: item.description,
        currency: 'usd',
        amountMinor: 0n,
        quantity: 1_000n,
        period: PERIOD,
        metadata: { tallystick_key: 'late-1' },
        idempotencyKey: 'late-1',
      },
    ]);
  });

  test.each([
    ['quantity', { quantity: -1n, unitAmountDecimal: '1' }],
    ['unitAmountDecimal', { quantity: 1n, unitAmountDecimal: '0.0000000000001' }],
    ['amountMinor', { amountMinor: 10n ** 12n }],
    ['period', { amountMinor: 1n, period: { start: PERIOD.end, end: PERIOD.start } }],
  ])('is checked before it is sent: %s', async (field, wrong) => {
    world = await openClosing();
    const item = { stripeCustomerId: 'cus', currency: 'usd', description: 'x', period: PERIOD };
    await expect(
      world.invoicing.createInvoiceItem({ ...item, ...wrong, idempotencyKey: 'k' } as never),
    ).rejects.toMatchObject({ code: 'VALIDATION', context: { field } });
  });
});

describe('a credit note', () => {
  test('of a paid invoice becomes a balance that the next invoice uses up', async () => {
    const invoiceId = await openDraft();
    const { invoicing, sdk, goTo, use, id } = world;
    await invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'end' });
    const line = await tokenLine(invoiceId);
    const note = {
      invoiceId,
      lineIds: [line?.lineId ?? ''],
      amountMinor: 150n,
      reason: 'order_change' as const,
      memo: 'Counted twice',
      idempotencyKey: 'credit-1',
    };
    const made = await invoicing.createCreditNote(note);
    if (!('creditNoteId' in made)) throw new Error('nothing was credited');
    expect(await sdk.creditNotes.retrieve(made.creditNoteId)).toMatchObject({
      total: 150,
      post_payment_amount: 150,
      number: expect.stringMatching(/-0001-CN-01$/),
    });
    expect((await sdk.customers.retrieve(id)) as object).toMatchObject({ balance: -150 });
    goTo(FIRST_END_MS + 26 * HOUR_MS);
    expect(await invoicing.createCreditNote(note)).toEqual(made);
    await use(1_000_000n, FIRST_END_MS + 2 * HOUR_MS);
    goTo(FIRST_END_MS + 33 * 24 * HOUR_MS);
    const [newest] = (await sdk.invoices.list({ customer: id, limit: 1 })).data;
    expect(newest).toMatchObject({ status: 'paid', total: 300, amount_due: 150, amount_paid: 150 });
    expect((await sdk.customers.retrieve(id)) as object).toMatchObject({ balance: 0 });
  });

  test('cannot exceed the invoice or a line of it, and not a draft at all', async () => {
    const invoiceId = await openDraft();
    const { invoicing } = world;
    const note = { invoiceId, reason: 'duplicate' as const, memo: 'x' };
    await expect(
      invoicing.createCreditNote({ ...note, amountMinor: 1n, idempotencyKey: 'c0' }),
    ).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
    await invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'end' });
    const lineId = (await tokenLine(invoiceId))?.lineId ?? '';
    expect(await invoicing.createCreditNote({ ...note, amountMinor: 451n, idempotencyKey: 'c1' })).toEqual({
      creditableMinor: 450n,
      reason: 'credited_before',
    });
    const lineIds = [lineId];
    await invoicing.createCreditNote({ ...note, lineIds, amountMinor: 400n, idempotencyKey: 'c2' });
    expect(
      await invoicing.createCreditNote({ ...note, lineIds, amountMinor: 51n, idempotencyKey: 'c3' }),
    ).toEqual({ creditableMinor: 50n, reason: 'credited_before' });
    expect((await world.sdk.creditNotes.list({ invoice: invoiceId })).data).toHaveLength(1);
    await expect(
      invoicing.createCreditNote({ ...note, amountMinor: 0n, idempotencyKey: 'c4' }),
    ).rejects.toMatchObject({ code: 'VALIDATION' });
  });

  test('of an open invoice makes it owe less, and nothing settles it', async () => {
    const invoiceId = await openDraft({ scenarioLives: { 0: { withoutPaymentMethod: true } } });
    const { invoicing, sdk } = world;
    await invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'end' });
    expect(await invoicing.readInvoice(invoiceId)).toMatchObject({
      status: 'open',
      customerHasPaymentMethod: false,
      amountDueMinor: 450n,
      amountPaidMinor: 0n,
    });
    const note = { invoiceId, reason: 'duplicate' as const, memo: 'x' };
    await invoicing.createCreditNote({ ...note, amountMinor: 100n, idempotencyKey: 'c1' });
    expect(await sdk.invoices.retrieve(invoiceId)).toMatchObject({ status: 'open', amount_remaining: 350 });
    await invoicing.createCreditNote({ ...note, amountMinor: 350n, idempotencyKey: 'c2' });
    expect(await sdk.invoices.retrieve(invoiceId)).toMatchObject({ status: 'paid', amount_remaining: 0 });
  });
});

describe('missed events', () => {
  test('are listed since an instant, oldest first, by type, and for thirty days', async () => {
    const invoiceId = await openDraft();
    const { invoicing, goTo, id } = world;
    const types = ['invoice.created', 'invoice.finalized', 'invoice.paid'];
    await invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'end' });
    const ofCustomer = async (since: number) =>
      (await invoicing.listEvents({ since: new Date(since), types })).filter(
        (event) => event.stripeCustomerId === id,
      );
    expect(await ofCustomer(0)).toMatchObject([
      {
        type: 'invoice.created',
        objectType: 'invoice',
        objectId: invoiceId,
        createdAt: new Date(FIRST_END_MS),
      },
      { type: 'invoice.finalized', objectId: invoiceId },
      { type: 'invoice.paid', objectId: invoiceId },
    ]);
    expect(await ofCustomer(FIRST_END_MS + MINUTE_MS)).toHaveLength(2);
    expect(await ofCustomer(FIRST_END_MS + HOUR_MS + 1_000)).toHaveLength(0);
    goTo(FIRST_END_MS + 29 * 24 * HOUR_MS);
    expect(await ofCustomer(0)).toHaveLength(3);
    goTo(FIRST_END_MS + 30 * 24 * HOUR_MS + 30 * MINUTE_MS);
    // The first draft is told no more; the one of the next period is.
    expect((await ofCustomer(0)).map((event) => event.type)).toEqual([
      'invoice.finalized',
      'invoice.paid',
      'invoice.created',
    ]);
  });

  test('come with all pages, and with more types than Stripe takes at once', async () => {
    world = await openClosing({ customerCount: 40 });
    world.goTo(FIRST_END_MS + 40 * 24 * HOUR_MS);
    const all = await world.invoicing.listEvents({ since: new Date(0) });
    expect(all.length).toBeGreaterThan(100);
    expect(new Set(all.map((event) => event.eventId)).size).toBe(all.length);
    const times = all.map((event) => event.createdAt.getTime());
    expect(times).toEqual([...times].sort((one, other) => one - other));
    const types = ['invoice.created', ...Array.from({ length: 25 }, (_, index) => `none.${index}`)];
    const created = await world.invoicing.listEvents({ since: new Date(0), types });
    expect(created.map((event) => event.eventId)).toEqual(
      all.filter((event) => event.type === 'invoice.created').map((event) => event.eventId),
    );
  });
});
