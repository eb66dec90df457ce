import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { type CallKeys, createMemoryKeys } from '../../src/stripe/call-keys.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { meterEvent } from './account.ts';
import { type ClosingWorld, FIRST_END_MS, openClosing } from './closing-world.ts';

let world: ClosingWorld;
afterEach(() => world.close());

/** Every code that Stripe's own types name for a finalization that fails. */
function documentedCodes(): string[] {
  const entry = createRequire(import.meta.url).resolve('stripe');
  const file = path.join(path.dirname(entry), '../esm/resources/Invoices.d.ts');
  const [, after = ''] = readFileSync(file, 'utf8').split('namespace LastFinalizationError');
  const [, union = ''] = /type Code = ([^;]+);/.exec(after) ?? [];
  const codes = [...union.matchAll(/'([a-z0-9_]+)'/g)].flatMap(([, code]) => code ?? []);
  // No refusal: it is asked again at once.
  return codes.filter((code) => code !== 'rate_limit');
}

async function openDraft(keys: CallKeys = createMemoryKeys()) {
  world = await openClosing({ stripe: { keys } });
  world.goTo(FIRST_END_MS + HOUR_MS);
  const invoiceId = world.invoiceId();
  const { invoicing } = world;
  await invoicing.claimInvoice(invoiceId, {
    finalizeNoLaterThan: new Date(FIRST_END_MS + 40 * HOUR_MS),
    idempotencyKey: 'close',
  });
  const refuse = (code: string) =>
    world.standIn.faults.add({ kind: 'reject', code, path: `/v1/invoices/${invoiceId}/finalize`, count: 1 });
  const finalize = () => invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'finalize' });
  return { invoiceId, refuse, finalize };
}

/** Another process that has the same ledger, or none. */
const restarted = (keys: CallKeys) =>
  createStripe(
    { STRIPE_API_KEY: world.standIn.apiKey, STRIPE_API_BASE: world.url },
    { keys, retryPolicy: { baseDelayMs: 1 } },
  );

describe('a finalization that Stripe refuses', () => {
  it('is refused for its own reason each time, whatever the code, and succeeds once that is cured', async () => {
    const codes = documentedCodes();
    expect(codes.length).toBeGreaterThan(150);
    expect(codes).toContain('customer_tax_location_invalid');
    const { refuse, finalize } = await openDraft();
    for (const code of codes) {
      refuse(code);
      await expect(finalize()).rejects.toMatchObject({
        code: 'UPSTREAM_REJECTED',
        context: { stripeCode: code },
      });
    }
    expect(await finalize()).toHaveProperty('invoice');
  });

  it('succeeds once cured although we were killed before the refusal was noted', async () => {
    const killed = { ...createMemoryKeys(), spend: async () => Promise.reject(new Error('killed')) };
    const { invoiceId, refuse, finalize } = await openDraft(killed);
    refuse('customer_tax_location_invalid');
    await expect(finalize()).rejects.toThrow('killed');
    const { invoicing } = restarted(createMemoryKeys());
    expect(await invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'finalize' })).toHaveProperty(
      'invoice',
    );
  });

  it('has its next key committed before that is used', async () => {
    const memory = createMemoryKeys();
    const order: string[] = [];
    const keys: CallKeys = {
      countSpent: memory.countSpent,
      spend: async (call, count) => {
        order.push(`spent ${count}`);
        await memory.spend(call, count);
      },
    };
    const { invoiceId, refuse, finalize } = await openDraft(keys);
    refuse('invoice_no_payment_method_types');
    await expect(finalize()).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
    expect(order).toEqual(['spent 1']);
    // Of two processes that come back, the later one knows the key that the earlier one may have used.
    const one = restarted(keys).invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'finalize' });
    expect(await one).toHaveProperty('invoice');
    const other = restarted(keys).invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'finalize' });
    expect(await other).toHaveProperty('invoice');
    expect(order).toEqual(['spent 1']);
  });

  it('keeps its key while the outcome is unknown', async () => {
    const { invoiceId, finalize } = await openDraft();
    world.standIn.faults.add({ kind: 'reset_after', path: `/v1/invoices/${invoiceId}/finalize`, count: 1 });
    // A new key would be told that the invoice is final already.
    expect(await finalize()).toHaveProperty('invoice');
  });
});

describe('other writes that Stripe refuses', () => {
  it('an item is made once, after a refusal and an answer that was lost', async () => {
    await openDraft();
    const { invoicing, standIn, id } = world;
    const item = {
      stripeCustomerId: id,
      currency: 'usd',
      description: 'Late usage',
      amountMinor: 450n,
      period: { start: new Date(FIRST_END_MS - HOUR_MS), end: new Date(FIRST_END_MS) },
      idempotencyKey: 'late-1',
    };
    standIn.faults.add({
      kind: 'reject',
      code: 'customer_max_subscriptions',
      path: '/v1/invoiceitems',
      count: 1,
    });
    // Looking for it comes first, and is what is refused.
    await expect(invoicing.createInvoiceItem(item)).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
    standIn.faults.add({ kind: 'reset_after', path: '/v1/invoiceitems', count: 2 });
    await invoicing.createInvoiceItem(item);
    await invoicing.createInvoiceItem(item);
    expect(await invoicing.listInvoiceItems(id)).toHaveLength(1);
  });

  it('the same intent with other parameters has another key, and is not refused for that', async () => {
    await openDraft();
    const { invoicing, invoiceId } = world;
    for (const hours of [40, 41]) {
      const claim = {
        finalizeNoLaterThan: new Date(FIRST_END_MS + hours * HOUR_MS),
        idempotencyKey: 'close',
      };
      expect(await invoicing.claimInvoice(invoiceId(), claim)).toBe('claimed');
      expect(await invoicing.readInvoice(invoiceId())).toMatchObject({
        automaticallyFinalizesAt: claim.finalizeNoLaterThan,
      });
    }
  });

  it('a meter event refused for a missing permission is counted at the next try after it was given', async () => {
    world = await openClosing();
    const { billing, standIn, id } = world;
    world.goTo(FIRST_END_MS - HOUR_MS);
    const event = meterEvent({ stripeCustomerId: id, value: 7n, timestamp: new Date(FIRST_END_MS - DAY_MS) });
    standIn.faults.add({ kind: 'refuse', path: '/v1/billing/meter_events', count: 1 });
    await expect(billing.sendMeterEvent(event)).rejects.toMatchObject({ statusCode: 403 });
    expect(await restarted(createMemoryKeys()).sendMeterEvent(event)).toBe('delivered');
    expect(standIn.tokenTotal()).toBe(7n);
  });
});

describe('the stand-in', () => {
  it('keeps a refusal for a day, across its restart, and not one of parameters', async () => {
    const { invoiceId } = await openDraft();
    const { sdk, standIn } = world;
    const path = `/v1/invoices/${invoiceId}/finalize`;
    standIn.faults.add({ kind: 'reject', code: 'tax_id_invalid', path, count: 1 });
    const finalize = () => sdk.invoices.finalizeInvoice(invoiceId, {}, { idempotencyKey: 'one' });
    for (let tries = 0; tries < 3; tries += 1)
      await expect(finalize()).rejects.toMatchObject({ code: 'tax_id_invalid' });
    world.goTo(FIRST_END_MS + 26 * HOUR_MS);
    expect(await finalize()).toMatchObject({ id: invoiceId });
    const wrong = { customer: world.id, wrong: 1 } as unknown as { customer: string };
    const right = { customer: world.id, currency: 'usd', amount: 5 };
    const request = { idempotencyKey: 'two' };
    await expect(sdk.invoiceItems.create(wrong, request)).rejects.toMatchObject({
      code: 'parameter_unknown',
    });
    expect(await sdk.invoiceItems.create(right, request)).toMatchObject({ amount: 5 });
  });
});
