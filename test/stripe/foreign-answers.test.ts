import { describe, expect, test } from 'vitest';
import { createStripe } from '../../src/stripe/client.ts';
import { meterEvent } from './account.ts';

const EVENT = { object: 'billing.meter_event', identifier: 'one' };

function open(...answers: [number, string][]) {
  let callCount = 0;
  const billing = createStripe(
    { STRIPE_API_KEY: 'sk_test_any', STRIPE_API_BASE: 'http://127.0.0.1:1' },
    {
      retryPolicy: { attemptCount: 1, baseDelayMs: 0 },
      fetch: async () => {
        const [status, text] = answers[callCount] ?? [500, ''];
        callCount += 1;
        return new Response(text, { status, headers: { 'content-type': 'application/json' } });
      },
    },
  );
  return billing.sendMeterEvent(meterEvent({ stripeCustomerId: 'cus_1', value: 42n }));
}

describe('an answer that is not Stripe’s, from something in between', () => {
  test.each([
    [500, '{"message":"Internal Server Error"}'],
    [502, '<html>Bad gateway</html>'],
    [503, '{}'],
    [200, '{}'],
    [200, 'ok'],
    [200, '{"object":"billing.meter_ev'],
    [200, 'null'],
    [204, ''],
    [302, '{}'],
    [404, '{"message":"no Route matched"}'],
    [400, '<html>Bad request</html>'],
    [403, 'blocked'],
  ])('%i %s: nothing is delivered, and nothing refused for good', async (status, text) => {
    const body = status === 204 ? null : text;
    await expect(open([status, body as string])).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      retry: true,
      outcomeUnknown: true,
    });
  });

  test.each(['{}', 'slow down', '{"message":"Too many requests"}'])('429 %s is still a 429', async (text) => {
    await expect(open([429, text])).rejects.toMatchObject({ code: 'UPSTREAM_THROTTLED', retry: true });
  });

  test('Stripe’s own answers mean what they meant', async () => {
    expect(await open([200, JSON.stringify(EVENT)])).toBe('delivered');
    const refusal = {
      error: { type: 'invalid_request_error', message: 'No such customer', param: 'payload' },
    };
    await expect(open([400, JSON.stringify(refusal)])).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
  });
});
