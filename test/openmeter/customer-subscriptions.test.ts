import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MeteringCustomer } from '../../src/openmeter/port.ts';
import { customer, pathOf, send, subjectKeysAt, users, writesOf } from './customer-world.ts';
import { type Harness, startHarness } from './harness.ts';

let h: Harness;
beforeEach(async () => {
  h = await startHarness();
});
afterEach(() => h.close());

const upsert = (...customers: MeteringCustomer[]) => h.openMeter.upsertCustomers(customers);
const keyOf = (customerId: string) => `tallystick:customer:${customerId}`;
const FROZEN = {
  customerId: 'a',
  reason: 'active_subscription',
  message: 'Customer a has an active subscription in OpenMeter, which freezes its subject keys',
};

test('a frozen customer with the same keys in another order is no change', async () => {
  await upsert(customer('a', ['u1', 'u2']));
  h.standIn.setSubscription(keyOf('a'), true);
  h.requests.splice(0);
  expect(await upsert(customer('a', ['u2', 'u1']))).toEqual([]);
  expect(writesOf(h)).toEqual([]);
  // What else changes is written, with the keys in the order in which they are held.
  expect(await upsert(customer('a', ['u2', 'u1'], { name: 'Renamed' }))).toEqual([]);
  expect((await send(h, 'GET', pathOf('a'))).body).toMatchObject({
    name: 'Renamed',
    usageAttribution: { subjectKeys: ['u1', 'u2'] },
  });
});

test('a frozen customer keeps its keys, is told, and everything else of it is written', async () => {
  await upsert(customer('a', ['u1']), customer('b', ['u5']));
  h.standIn.setSubscription(keyOf('a'), true);
  h.requests.splice(0);
  const wanted = [customer('a', ['u1', 'u2'], { name: 'Renamed' }), customer('b', ['u5', 'u6'])];
  expect(await upsert(...wanted)).toMatchObject([FROZEN]);
  expect((await send(h, 'GET', pathOf('a'))).body).toMatchObject({
    name: 'Renamed',
    usageAttribution: { subjectKeys: ['u1'] },
  });
  expect(await subjectKeysAt(h, 'b')).toEqual(['u5', 'u6']);
  h.requests.splice(0);
  expect(await upsert(...wanted)).toMatchObject([FROZEN]);
  expect(writesOf(h)).toEqual([]);
  h.standIn.setSubscription(keyOf('a'), false);
  expect(await upsert(...wanted)).toEqual([]);
  expect(await subjectKeysAt(h, 'a')).toEqual(['u1', 'u2']);
});

test('a user of a frozen customer cannot move: who is to get it is told, and gets the others', async () => {
  await upsert(customer('a', ['u1', 'u2']), customer('b', ['u5']));
  h.standIn.setSubscription(keyOf('a'), true);
  const problems = await upsert(customer('a', ['u1']), customer('b', ['u2', 'u5', 'u6']));
  expect(problems).toMatchObject([
    FROZEN,
    {
      customerId: 'b',
      reason: 'name_taken',
      message: `Customer b lacks "u2" in OpenMeter: it is a subject key of customer ${keyOf('a')} there`,
    },
  ]);
  expect(await subjectKeysAt(h, 'b')).toEqual(['u5', 'u6']);
});

test('a subscription that begins while keys are being added leaves what is there, and all else is written', async () => {
  await upsert(customer('a', ['u1']));
  let updateCount = 0;
  const racing = h.connect({
    fetch: async (input, init) => {
      if (init.method === 'PUT') {
        updateCount += 1;
        if (updateCount === 3) h.standIn.setSubscription(keyOf('a'), true);
      }
      return fetch(input, init);
    },
  });
  const wanted = customer('a', ['u1', ...users(11_000)], { name: 'Renamed' });
  expect(await racing.upsertCustomers([wanted])).toMatchObject([FROZEN]);
  const after = (await send(h, 'GET', pathOf('a'))).body;
  expect(after.name).toBe('Renamed');
  expect(after.usageAttribution?.subjectKeys).toHaveLength(8_001);
  h.standIn.setSubscription(keyOf('a'), false);
  expect(await upsert(wanted)).toEqual([]);
  expect(await subjectKeysAt(h, 'a')).toHaveLength(11_001);
});

test('one that begins before the first of them is told too, and the name is written', async () => {
  await upsert(customer('a', ['u1']));
  const racing = h.connect({
    fetch: async (input, init) => {
      if (init.method === 'PUT') h.standIn.setSubscription(keyOf('a'), true);
      return fetch(input, init);
    },
  });
  expect(await racing.upsertCustomers([customer('a', ['u2'], { name: 'Renamed' })])).toMatchObject([FROZEN]);
  expect((await send(h, 'GET', pathOf('a'))).body).toMatchObject({
    name: 'Renamed',
    usageAttribution: { subjectKeys: ['u1'] },
  });
});

test('a frozen customer of before gets its new key only where no usage is lost by it', async () => {
  const make = (key: string, subjectKeys: string[]) =>
    send(h, 'POST', '', { name: `Customer ${key}`, key, usageAttribution: { subjectKeys } });
  await make('a', ['u1']);
  await make('b', ['u2', 'b']);
  await make('c', ['u3']);
  for (const key of ['a', 'b', 'c']) h.standIn.setSubscription(key, true);
  const wanted = [
    customer('a', ['u1']),
    customer('b', ['u2', 'b']),
    customer('c', ['u3']),
    customer('d', ['c']),
  ];
  expect(await upsert(...wanted)).toEqual([]);
  // By its old key usage may be attributed to it; b's is a subject key beside; c's is a user of another customer.
  expect((await send(h, 'GET', '/a')).body.metadata).toMatchObject({ tallystickCustomerId: 'a' });
  expect(await subjectKeysAt(h, 'b')).toEqual(['u2', 'b']);
  expect(await subjectKeysAt(h, 'c')).toEqual(['u3']);
  expect(await subjectKeysAt(h, 'd')).toEqual(['c']);
  h.requests.splice(0);
  expect(await upsert(...wanted)).toEqual([]);
  expect(writesOf(h)).toEqual([]);
  h.standIn.setSubscription('a', false);
  expect(await upsert(...wanted)).toEqual([]);
  expect(await subjectKeysAt(h, 'a')).toEqual(['u1', 'a']);
});

test('the stand-in deletes nobody with a subscription, and takes keys away from a body that names none', async () => {
  await upsert(customer('a', ['u1']));
  h.standIn.setSubscription(keyOf('a'), true);
  expect((await send(h, 'DELETE', pathOf('a'))).status).toBe(400);
  expect((await send(h, 'PUT', pathOf('a'), { name: 'x', key: keyOf('a') })).status).toBe(200);
  expect((await send(h, 'GET', pathOf('a'))).body.usageAttribution).toBeUndefined();
});
