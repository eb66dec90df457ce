import { afterEach, describe, expect, test } from 'vitest';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { createStripe } from '../../src/stripe/client.ts';
import {
  closedPort,
  meterEvent,
  openAccount,
  START_MS,
  type TestAccount,
  type TestAccountOptions,
} from './account.ts';

let account: TestAccount;
afterEach(() => account.close());

async function open(options: TestAccountOptions = {}) {
  account = await openAccount(options);
  account.clock.advanceTo(START_MS + 2 * HOUR_MS);
  const { id } = await account.customer(0);
  return { ...account, stripeCustomerId: id };
}

const METER_EVENTS = '/v1/billing/meter_events';

describe('a call that goes wrong and is tried again', () => {
  test.each([
    ['throttle', 2],
    ['fail', 1],
    ['fail_after', 2],
    ['reset_before', 3],
    ['reset_after', 3],
    ['truncate', 2],
  ] as const)('%s: counts exactly once', async (kind, count) => {
    const { billing, standIn, stripeCustomerId } = await open();
    standIn.faults.add({ kind, count, path: METER_EVENTS });
    const outcome = await billing.sendMeterEvent(meterEvent({ stripeCustomerId, value: 42n }));
    expect(['delivered', 'duplicate']).toContain(outcome);
    expect(standIn.tokenTotal()).toBe(42n);
  });

  test('a stored 500 is not asked for again under the same key', async () => {
    const { billing, standIn, stripeCustomerId } = await open({
      stripe: { retryPolicy: { attemptCount: 2 } },
    });
    standIn.faults.add({ kind: 'fail', count: 1, path: METER_EVENTS });
    expect(await billing.sendMeterEvent(meterEvent({ stripeCustomerId, value: 9n }))).toBe('delivered');
    expect(standIn.tokenTotal()).toBe(9n);
  });

  test('Retry-After is waited for', async () => {
    const { billing, standIn, stripeCustomerId } = await open();
    standIn.faults.add({ kind: 'throttle', count: 1, path: METER_EVENTS, retryAfterSeconds: 1 });
    const startedMs = performance.now();
    await billing.sendMeterEvent(meterEvent({ stripeCustomerId }));
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(1_000);
  });

  test('a random storm of faults loses nothing and counts nothing twice', async () => {
    const { billing, standIn, stripeCustomerId } = await open({
      stripe: { retryPolicy: { attemptCount: 12 } },
    });
    for (const kind of ['throttle', 'fail_after', 'reset_after', 'truncate', 'fail'] as const) {
      standIn.faults.add({ kind, rate: 0.12, path: METER_EVENTS });
    }
    for (let index = 0; index < 40; index += 1) {
      await billing.sendMeterEvent(meterEvent({ stripeCustomerId, value: 1n, identifier: `storm-${index}` }));
    }
    expect(standIn.tokenTotal()).toBe(40n);
  });
});

describe('a call that keeps going wrong', () => {
  test.each([
    ['throttle', { code: 'UPSTREAM_THROTTLED', outcomeUnknown: false, statusCode: 429 }],
    ['fail', { code: 'UPSTREAM_UNAVAILABLE', outcomeUnknown: true, statusCode: 500 }],
    ['reset_after', { code: 'UPSTREAM_UNAVAILABLE', outcomeUnknown: true }],
    ['truncate', { code: 'UPSTREAM_UNAVAILABLE', outcomeUnknown: true }],
    ['refuse', { code: 'UPSTREAM_UNAVAILABLE', outcomeUnknown: false, statusCode: 403 }],
  ] as const)('%s: is told apart', async (kind, expected) => {
    const { billing, standIn, stripeCustomerId } = await open({
      stripe: { retryPolicy: { attemptCount: 2 } },
    });
    standIn.faults.add({ kind, path: METER_EVENTS });
    await expect(billing.sendMeterEvent(meterEvent({ stripeCustomerId }))).rejects.toMatchObject({
      ...expected,
      retry: true,
    });
  });

  test('a hang ends with our own timeout, the outcome unknown', async () => {
    const { billing, standIn, stripeCustomerId } = await open({
      stripe: { timeoutMs: 100, retryPolicy: { attemptCount: 1 } },
    });
    standIn.faults.add({ kind: 'hang', path: METER_EVENTS });
    await expect(billing.sendMeterEvent(meterEvent({ stripeCustomerId }))).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      outcomeUnknown: true,
    });
  });

  test('an abort stops the waiting', async () => {
    const { billing, standIn, stripeCustomerId } = await open();
    standIn.faults.add({ kind: 'hang', path: METER_EVENTS });
    await expect(
      billing.sendMeterEvent(meterEvent({ stripeCustomerId }), AbortSignal.timeout(50)),
    ).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', outcomeUnknown: true });
  });

  test('a wait longer than ours is handed to the caller', async () => {
    const { billing, standIn, stripeCustomerId } = await open();
    standIn.faults.add({ kind: 'throttle', path: METER_EVENTS, retryAfterSeconds: 60 });
    await expect(billing.sendMeterEvent(meterEvent({ stripeCustomerId }))).rejects.toMatchObject({
      code: 'UPSTREAM_THROTTLED',
      retryAfterMs: 60_000,
    });
  });

  test('a read has no outcome to be unsure of', async () => {
    const { billing, standIn } = await open({ stripe: { retryPolicy: { attemptCount: 2 } } });
    standIn.faults.add({ kind: 'reset_before', path: '/v1/customers' });
    await expect(billing.readCatalog({ invoicesSince: new Date(0) })).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      outcomeUnknown: false,
    });
  });
});

describe('an account we cannot use', () => {
  test('a wrong key names itself as the problem, and the usage may be sent later', async () => {
    const { url, stripeCustomerId } = await open();
    const billing = createStripe({ STRIPE_API_KEY: 'sk_test_wrong', STRIPE_API_BASE: url });
    await expect(billing.describe()).rejects.toMatchObject({ statusCode: 401, fix: /STRIPE_API_KEY/ });
    await expect(billing.sendMeterEvent(meterEvent({ stripeCustomerId }))).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      retry: true,
      outcomeUnknown: false,
    });
  });

  test('nobody there: nothing was sent', async () => {
    const { stripeCustomerId } = await open();
    const billing = createStripe(
      { STRIPE_API_KEY: 'sk_test_any', STRIPE_API_BASE: `http://127.0.0.1:${await closedPort()}` },
      { retryPolicy: { attemptCount: 2, baseDelayMs: 1 } },
    );
    await expect(billing.sendMeterEvent(meterEvent({ stripeCustomerId }))).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      outcomeUnknown: false,
    });
  });

  test('plain http to another machine is refused before anything is sent', async () => {
    await open();
    expect(() =>
      createStripe({ STRIPE_API_KEY: 'sk_test_any', STRIPE_API_BASE: 'http://stripe.example' }),
    ).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });
});

describe('the stand-in', () => {
  test('can lose events silently, so that a check of totals can fail', async () => {
    const { billing, standIn, stripeCustomerId } = await open();
    standIn.faults.dropNextMeterEvents(1);
    const lost = meterEvent({ stripeCustomerId, value: 5n });
    expect(await billing.sendMeterEvent(lost)).toBe('delivered');
    expect(await billing.sendMeterEvent(meterEvent({ stripeCustomerId, value: 7n }))).toBe('delivered');
    expect(standIn.tokenTotal()).toBe(7n);
  });

  test('refuses a key that comes back with other parameters', async () => {
    const { sdk, stripeCustomerId } = await open();
    const send = (value: string) =>
      sdk.billing.meterEvents.create(
        { event_name: 'gpt_4o_prompt_tokens', payload: { stripe_customer_id: stripeCustomerId, value } },
        { idempotencyKey: 'one' },
      );
    const first = await send('1');
    expect((await send('1')).identifier).toBe(first.identifier);
    await expect(send('2')).rejects.toMatchObject({ rawType: 'idempotency_error' });
  });

  test('answers unknown addresses and broken forms without falling over', async () => {
    const { url, standIn } = await open();
    const headers = { authorization: `Bearer ${standIn.apiKey}` };
    expect((await fetch(`${url}/v1/teapots`, { headers })).status).toBe(404);
    const broken = await fetch(`${url}${METER_EVENTS}`, { method: 'POST', headers, body: 'a=%E0%A4%A' });
    expect(broken.status).toBe(400);
    const bodies = [
      '__proto__[polluted]=1',
      'event_name=x',
      'payload=text&event_name=x',
      'payload[0]=a&event_name=x',
    ];
    for (const body of bodies) {
      const response = await fetch(`${url}${METER_EVENTS}`, { method: 'POST', headers, body });
      expect(response.status).toBe(400);
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
