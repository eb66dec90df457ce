import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { type ClosingWorld, FIRST_END_MS, openClosing } from './closing-world.ts';

let directory: string;
let open: ClosingWorld[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tallystick-stripe-'));
  open = [];
});
afterEach(async () => {
  for (const world of open) await world.close();
  await rm(directory, { recursive: true });
});

async function start(nowMs: number): Promise<ClosingWorld> {
  const world = await openClosing({
    stateDirectory: directory,
    customerCount: 6,
    scenarioLives: {
      0: { secondSubscription: { models: ['o4-mini'], anchorDay: 6 } },
      1: { withoutPaymentMethod: true, upgrade: { day: 2, priceThousandths: 900 } },
      2: { trialDays: 5 },
      3: { pause: { fromDay: 1, untilDay: 25, behavior: 'keep_as_draft' } },
      4: { cancel: { day: 4.5, atPeriodEnd: false } },
      5: { cancel: { day: 1, atPeriodEnd: true } },
    },
  });
  open.push(world);
  world.goTo(nowMs);
  return world;
}

async function facts({ sdk, standIn }: ClosingWorld) {
  const all = { limit: 100 };
  return {
    invoices: (await sdk.invoices.list(all)).data,
    reports: standIn.invoiceReport(),
    items: (await sdk.invoiceItems.list(all)).data,
    notes: (await sdk.creditNotes.list(all)).data,
    subscriptions: (await sdk.subscriptions.list({ ...all, status: 'all' })).data,
    customers: (await sdk.customers.list(all)).data,
    events: (await sdk.events.list(all)).data,
  };
}

test('a sudden end loses nothing of drafts, items, credits, and the lives of subscriptions', async () => {
  const before = await start(FIRST_END_MS - HOUR_MS);
  const { sdk, id, subscriptionId, invoicing } = before;
  await before.use(1_000_000n, FIRST_END_MS - 2 * HOUR_MS);
  await sdk.invoiceItems.create({ customer: id, currency: 'usd', amount: 11, description: 'Pending' });
  before.goTo(FIRST_END_MS + HOUR_MS);
  const invoiceId = (await sdk.invoices.list({ customer: id })).data[0]?.id ?? '';
  await invoicing.claimInvoice(invoiceId, {
    finalizeNoLaterThan: new Date(FIRST_END_MS + 40 * HOUR_MS),
    idempotencyKey: 'close',
  });
  const lineId = (await invoicing.readInvoice(invoiceId))?.lines[0]?.lineId ?? '';
  const text = { memo: 'Memo', lines: [{ lineId, description: 'Text' }], idempotencyKey: 'text' };
  await invoicing.annotateInvoice(invoiceId, text);
  await expect(
    sdk.invoiceItems.create({ customer: id, currency: 'eur', amount: 1, invoice: invoiceId }),
  ).rejects.toMatchObject({ statusCode: 400 });
  await sdk.invoiceItems.create({ customer: id, currency: 'usd', amount: 22, invoice: invoiceId });
  await invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'end' });
  await invoicing.createCreditNote({
    invoiceId,
    amountMinor: 20n,
    reason: 'duplicate',
    memo: 'Twice',
    idempotencyKey: 'credit',
  });
  const [item] = (await sdk.subscriptions.retrieve(subscriptionId)).items.data;
  await sdk.subscriptionItems.del(item?.id ?? '');
  await sdk.subscriptionItems.create({ subscription: subscriptionId, price: item?.price.id ?? '' });
  before.goTo(FIRST_END_MS + 26 * DAY_MS);
  const paused = (await sdk.invoices.list({ status: 'draft', limit: 100 })).data[0];
  await sdk.invoices.del(paused?.id ?? '');
  const [unpaid] = (await sdk.invoices.list({ status: 'open' })).data;
  if (unpaid !== undefined) await sdk.invoices.voidInvoice(unpaid.id);

  // No close: a second one reads what the first has written, as after a kill.
  const after = await start(FIRST_END_MS + 26 * DAY_MS);
  const [was, is] = [await facts(before), await facts(after)];
  expect(is).toEqual(was);
  expect(was.notes).toHaveLength(1);
  expect(was.subscriptions.filter(({ status }) => status === 'canceled')).toHaveLength(2);

  for (const world of [before, after]) world.goTo(FIRST_END_MS + 33 * DAY_MS);
  expect(after.standIn.invoiceReport()).toEqual(before.standIn.invoiceReport());
  expect(await after.invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'end' })).toBe('already_final');
});
