import { afterEach, describe, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { UpstreamError } from '../../src/platform/errors.ts';
import { meterEvent, openAccount, START_MS, type TestAccount, type TestAccountOptions } from './account.ts';

let account: TestAccount;
afterEach(() => account.close());

async function open(options: TestAccountOptions = {}) {
  account = await openAccount(options);
  account.clock.advanceTo(START_MS + 2 * HOUR_MS);
  const { id } = await account.customer(0);
  return { ...account, stripeCustomerId: id };
}

async function rejection(work: Promise<unknown>): Promise<UpstreamError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof UpstreamError)) throw new Error(`expected an UpstreamError, got ${String(error)}`);
  return error;
}

describe('a meter event', () => {
  test('is delivered once, and again only after the identifier was forgotten', async () => {
    const { billing, stripeCustomerId, standIn, clock } = await open();
    const event = meterEvent({ stripeCustomerId, identifier: 'same' });
    expect(await billing.sendMeterEvent(event)).toBe('delivered');
    // The stored answer is repeated for the same request, and the identifier guards against another one.
    expect(await billing.sendMeterEvent(event)).toBe('delivered');
    expect(await billing.sendMeterEvent({ ...event, identifier: 'other' })).toBe('delivered');
    expect(standIn.tokenTotal()).toBe(2_000n);
    clock.advanceTo(START_MS + 2 * HOUR_MS + DAY_MS);
    expect(await billing.sendMeterEvent(event)).toBe('delivered');
    expect(standIn.tokenTotal()).toBe(3_000n);
  });

  test('with a known identifier counts as delivered', async () => {
    const { billing, sdk, stripeCustomerId, standIn } = await open();
    const event = meterEvent({ stripeCustomerId });
    await sdk.billing.meterEvents.create({
      event_name: event.eventName,
      payload: { stripe_customer_id: stripeCustomerId, value: '1000' },
      identifier: event.identifier,
    });
    expect(await billing.sendMeterEvent(event)).toBe('duplicate');
    expect(standIn.tokenTotal()).toBe(1_000n);
  });

  test('may be negative, and sums per customer', async () => {
    const { billing, stripeCustomerId, standIn } = await open();
    await billing.sendMeterEvent(meterEvent({ stripeCustomerId, value: 500n }));
    await billing.sendMeterEvent(meterEvent({ stripeCustomerId, value: -200n }));
    expect(standIn.tokenTotalByCustomer().get('northwind')).toBe(300n);
  });

  test('is held still when its customer is deleted', async () => {
    const { billing, sdk, stripeCustomerId, standIn } = await open();
    await billing.sendMeterEvent(meterEvent({ stripeCustomerId, value: 12n }));
    await sdk.customers.del(stripeCustomerId);
    expect(standIn.tokenTotal()).toBe(12n);
    expect(standIn.tokenTotalByCustomer().size).toBe(2);
  });

  test.each([
    ['35 days and a second back', -35 * DAY_MS - 1_000, 'timestamp_too_far_in_past'],
    ['more than 5 minutes ahead', 5 * 60_000 + 1_000, 'timestamp_in_future'],
  ])('%s is refused for good', async (_name, offsetMs, code) => {
    const { billing, stripeCustomerId, standIn } = await open();
    const timestamp = new Date(START_MS + 2 * HOUR_MS + offsetMs);
    const error = await rejection(billing.sendMeterEvent(meterEvent({ stripeCustomerId, timestamp })));
    expect(error).toMatchObject({ code: 'UPSTREAM_REJECTED', retry: false, statusCode: 400 });
    expect(error.context.stripeCode).toBe(code);
    expect(standIn.tokenTotal()).toBe(0n);
  });

  test.each([
    ['exactly 35 days back', -35 * DAY_MS],
    ['exactly 5 minutes ahead', 5 * 60_000],
  ])('%s is taken', async (_name, offsetMs) => {
    const { billing, stripeCustomerId } = await open();
    const timestamp = new Date(START_MS + 2 * HOUR_MS + offsetMs);
    expect(await billing.sendMeterEvent(meterEvent({ stripeCustomerId, timestamp }))).toBe('delivered');
  });

  test('that could never be accepted is not sent', async () => {
    const { billing, stripeCustomerId } = await open();
    const tooLong = meterEvent({ stripeCustomerId, value: 1_000_000_000_000_000n });
    await expect(billing.sendMeterEvent(tooLong)).rejects.toMatchObject({ code: 'VALIDATION' });
    await expect(
      billing.sendMeterEvent(meterEvent({ stripeCustomerId, identifier: 'x'.repeat(101) })),
    ).rejects.toMatchObject({ code: 'VALIDATION' });
    await expect(
      billing.sendMeterEvent(meterEvent({ stripeCustomerId, timestamp: new Date(Number.NaN) })),
    ).rejects.toMatchObject({ code: 'VALIDATION' });
  });

  test.each([
    ['a fraction', { value: '1.5' }, 'meter_event_invalid_value'],
    ['no value', { value: '' }, 'meter_event_invalid_value'],
    ['the value under another key', { value: '', tokens: '1' }, 'meter_event_invalid_value'],
    ['no customer', { stripe_customer_id: '' }, 'meter_event_no_customer_defined'],
  ])('with %s is taken, not counted, and told of by a report', async (_name, payload, code) => {
    const { sdk, stripeCustomerId, standIn, clock } = await open();
    const event = { stripe_customer_id: stripeCustomerId, value: '1', ...payload };
    await sdk.billing.meterEvents.create({
      event_name: 'gpt_4o_prompt_tokens',
      payload: Object.fromEntries(Object.entries(event).filter(([, value]) => value !== '')),
    });
    clock.advanceTo(clock.nowMs() + 120_000);
    standIn.advance(clock.nowMs());
    expect(standIn.tokenTotal()).toBe(0n);
    const [id = ''] = standIn.thinEventIds();
    expect(JSON.stringify(await sdk.v2.core.events.retrieve(id))).toContain(code);
  });

  test('of 16 digits, or with an unknown parameter, is refused', async () => {
    const { sdk, url, standIn, stripeCustomerId } = await open();
    await expect(
      sdk.billing.meterEvents.create({
        event_name: 'gpt_4o_prompt_tokens',
        payload: { stripe_customer_id: stripeCustomerId, value: '1000000000000000' },
      }),
    ).rejects.toMatchObject({ statusCode: 400, code: 'meter_event_value_too_many_digits' });
    const response = await fetch(`${url}/v1/billing/meter_events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${standIn.apiKey}` },
      body: new URLSearchParams({ event_name: 'x', quantity: '1' }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: 'parameter_unknown', param: 'quantity' } });
  });

  test('for a customer or meter that does not exist is answered 2xx, lost, and told of later', async () => {
    const { billing, sdk, stripeCustomerId, standIn, clock } = await open();
    const lost = meterEvent({ stripeCustomerId: 'cus_gone' });
    expect(await billing.sendMeterEvent(lost)).toBe('delivered');
    expect(await billing.sendMeterEvent(meterEvent({ stripeCustomerId, eventName: 'nobody_tokens' }))).toBe(
      'delivered',
    );
    const meters = await sdk.billing.meters.list({ limit: 100 });
    const archived = meters.data.find((meter) => meter.event_name === 'o4_mini_prompt_tokens');
    await sdk.billing.meters.deactivate(archived?.id ?? '');
    expect(
      await billing.sendMeterEvent(meterEvent({ stripeCustomerId, eventName: 'o4_mini_prompt_tokens' })),
    ).toBe('delivered');
    expect(standIn.tokenTotal()).toBe(0n);

    const reported: Record<string, unknown>[] = [];
    clock.advanceTo(clock.nowMs() + HOUR_MS);
    standIn.advance(clock.nowMs());
    for (const id of standIn.thinEventIds()) {
      reported.push((await sdk.v2.core.events.retrieve(id)) as unknown as Record<string, unknown>);
    }
    expect(reported.map((event) => event.type).sort()).toEqual([
      'v1.billing.meter.error_report_triggered',
      'v1.billing.meter.error_report_triggered',
      'v1.billing.meter.no_meter_found',
    ]);
    expect(JSON.stringify(reported)).toContain(lost.identifier);
  });

  test('can be cancelled by its identifier within a day', async () => {
    const { billing, sdk, stripeCustomerId, standIn, clock } = await open();
    const kept = meterEvent({ stripeCustomerId, value: 5n });
    const cancelled = meterEvent({ stripeCustomerId, value: 7n });
    await billing.sendMeterEvent(kept);
    await billing.sendMeterEvent(cancelled);
    const cancel = (identifier: string) =>
      sdk.billing.meterEventAdjustments.create({
        event_name: kept.eventName,
        type: 'cancel',
        cancel: { identifier },
      });
    await cancel(cancelled.identifier);
    expect(standIn.tokenTotal()).toBe(5n);
    clock.advanceTo(clock.nowMs() + DAY_MS + 1);
    await expect(cancel(kept.identifier)).rejects.toMatchObject({ statusCode: 400 });
  });

  test('of a meter with an hour window replaces the one before it in that hour', async () => {
    const { billing, stripeCustomerId, standIn } = await open({
      hourWindowMeters: (eventName) => eventName.startsWith('gpt_4o_prompt_tokens'),
    });
    const at = (minutes: number) => new Date(START_MS + minutes * 60_000);
    const send = (value: bigint, minutes: number) =>
      billing.sendMeterEvent(meterEvent({ stripeCustomerId, value, timestamp: at(minutes) }));
    await send(100n, 5);
    await send(140n, 5);
    await send(30n, 65);
    expect(standIn.tokenTotal()).toBe(170n);
  });
});

describe('the same customer and meter', () => {
  test('takes one call at a time; the second is told to wait and then succeeds', async () => {
    const { billing, sdk, stripeCustomerId, standIn } = await open({ latencyMs: 60 });
    const raw = (value: string) =>
      sdk.billing.meterEvents.create({
        event_name: 'gpt_4o_prompt_tokens',
        payload: { stripe_customer_id: stripeCustomerId, value },
      });
    const results = await Promise.allSettled([raw('1'), raw('2')]);
    expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = results.find((result) => result.status === 'rejected');
    expect(refused?.reason).toMatchObject({ statusCode: 429, code: 'lock_timeout' });
    const before = standIn.tokenTotal();
    await Promise.all([
      billing.sendMeterEvent(meterEvent({ stripeCustomerId, value: 10n })),
      billing.sendMeterEvent(
        meterEvent({ stripeCustomerId, value: 20n, eventName: 'o4_mini_prompt_tokens' }),
      ),
    ]);
    expect(standIn.tokenTotal() - before).toBe(30n);
  });
});

describe('more calls than the rate allows', () => {
  test('are throttled by the account', async () => {
    const { sdk, stripeCustomerId } = await open({ callsPerSecond: 3 });
    const results = await Promise.allSettled(
      Array.from({ length: 30 }, (_, index) =>
        sdk.billing.meterEvents.create({
          event_name: `any_${index}`,
          payload: { stripe_customer_id: stripeCustomerId, value: '1' },
        }),
      ),
    );
    const throttled = results.filter((result) => result.status === 'rejected');
    expect(throttled.length).toBeGreaterThan(15);
    for (const result of throttled) expect(result.reason).toMatchObject({ statusCode: 429 });
  });
});
