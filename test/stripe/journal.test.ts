import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { meterEvent, openAccount, START_MS, type TestAccount } from './account.ts';

let directory: string;
let open: TestAccount[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tallystick-stripe-'));
  open = [];
});
afterEach(async () => {
  for (const account of open) await account.close();
  await rm(directory, { recursive: true });
});

async function start(nowMs?: number): Promise<TestAccount> {
  const account = await openAccount({ stateDirectory: directory, gracePeriodHours: 48 });
  open.push(account);
  if (nowMs !== undefined) account.clock.advanceTo(nowMs);
  account.standIn.advance(account.clock.nowMs());
  return account;
}

async function facts(account: TestAccount) {
  const subscriptions = await account.sdk.subscriptions.list({ limit: 100 });
  const events = await account.sdk.events.list({ limit: 100 });
  const meters = await account.sdk.billing.meters.list({ limit: 100 });
  return {
    tokens: account.standIn.tokenTotal(),
    byCustomer: account.standIn.tokenTotalByCustomer(),
    invoices: account.standIn.invoiceReport(),
    subscriptions: subscriptions.data,
    events: events.data,
    meters: meters.data,
  };
}

describe('after a sudden end', () => {
  test('everything that was answered is there again', async () => {
    const before = await start();
    const { id } = await before.customer(0);
    const keyed = meterEvent({ stripeCustomerId: id, identifier: 'keyed', value: 3n });
    before.clock.advanceTo(START_MS + 2 * HOUR_MS);
    await before.billing.sendMeterEvent(keyed);
    before.standIn.faults.dropNextMeterEvents(1);
    await before.billing.sendMeterEvent(meterEvent({ stripeCustomerId: id, identifier: 'dropped' }));
    for (let day = 1; day <= 9; day += 1) {
      before.clock.advanceTo(START_MS + day * DAY_MS);
      before.standIn.advance(before.clock.nowMs());
      const timestamp = new Date(START_MS + day * DAY_MS - HOUR_MS);
      await before.billing.sendMeterEvent(meterEvent({ stripeCustomerId: id, value: 1_000_000n, timestamp }));
    }
    await before.billing.sendMeterEvent(meterEvent({ stripeCustomerId: 'cus_gone' }));
    await before.sdk.customers.create({ name: 'Late', metadata: { tenant_id: 'late' } });
    const cancelled = meterEvent({ stripeCustomerId: id });
    await before.billing.sendMeterEvent(cancelled);
    await before.sdk.billing.meterEventAdjustments.create({
      event_name: cancelled.eventName,
      type: 'cancel',
      cancel: { identifier: cancelled.identifier },
    });
    before.clock.advanceTo(START_MS + 10 * DAY_MS);
    before.standIn.advance(before.clock.nowMs());

    // No close: a second one reads what the first has written, as after a kill.
    const after = await start(START_MS + 10 * DAY_MS);
    expect(await facts(after)).toEqual(await facts(before));
    expect(after.standIn.tokenTotal()).toBe(9_000_003n);
  });

  test('identifiers and idempotency keys are still known', async () => {
    const before = await start(START_MS + 2 * HOUR_MS);
    const { id } = await before.customer(0);
    const event = meterEvent({ stripeCustomerId: id, identifier: 'once', value: 3n });
    await before.billing.sendMeterEvent(event);
    const after = await start(START_MS + 3 * HOUR_MS);
    expect(await after.billing.sendMeterEvent(event)).toBe('delivered');
    await expect(
      after.sdk.billing.meterEvents.create({
        event_name: event.eventName,
        payload: { stripe_customer_id: id, value: '3' },
        identifier: 'once',
      }),
    ).rejects.toMatchObject({ code: 'duplicate_meter_event' });
    expect(after.standIn.tokenTotal()).toBe(3n);
  });

  test('a line that was cut short was never answered, and is forgotten', async () => {
    const before = await start(START_MS + 2 * HOUR_MS);
    const { id } = await before.customer(0);
    await before.billing.sendMeterEvent(meterEvent({ stripeCustomerId: id, value: 3n }));
    await appendFile(join(directory, 'stripe.jsonl'), '{"at":1793498400000,"kind":"meter_ev');
    const after = await start(START_MS + 3 * HOUR_MS);
    expect(after.standIn.tokenTotal()).toBe(3n);
    await after.billing.sendMeterEvent(meterEvent({ stripeCustomerId: id, value: 4n }));
    const again = await start(START_MS + 3 * HOUR_MS);
    expect(again.standIn.tokenTotal()).toBe(7n);
  });
});
