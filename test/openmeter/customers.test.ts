import { afterEach, beforeEach, expect, test } from 'vitest';
import { customer, pathOf, send, subjectKeysAt, writesOf } from './customer-world.ts';
import { type Harness, startHarness } from './harness.ts';

let h: Harness;
beforeEach(async () => {
  h = await startHarness();
});
afterEach(() => h.close());

test('customers are made with key, name, all subject keys and the Stripe id, and written again only if they differ', async () => {
  const customers = [
    customer('a', ['u1', 'u2']),
    customer('b', []),
    customer('c', ['2026-11-21T10:00:00Z', '\u{1F9FE}']),
  ];
  await h.openMeter.upsertCustomers(customers);
  expect((await send(h, 'GET', pathOf('a'))).body).toMatchObject({
    key: 'tallystick:customer:a',
    name: 'Customer a',
    usageAttribution: { subjectKeys: ['u1', 'u2'] },
    metadata: { stripeCustomerId: 'cus_a', tallystickCustomerId: 'a' },
  });
  expect(await subjectKeysAt(h, 'c')).toEqual(['2026-11-21T10:00:00Z', '\u{1F9FE}']);
  expect(writesOf(h)).toHaveLength(3);
  await h.openMeter.upsertCustomers(
    customers.map((one) => ({ ...one, subjectKeys: one.subjectKeys.toReversed() })),
  );
  expect(writesOf(h)).toHaveLength(3);
  await h.openMeter.upsertCustomers([
    customer('a', ['u1', 'u3']),
    customer('b', [], { stripeCustomerId: null }),
  ]);
  expect(writesOf(h)).toHaveLength(5);
  expect(await subjectKeysAt(h, 'a')).toEqual(['u1', 'u3']);
  expect((await send(h, 'GET', pathOf('b'))).body.metadata).toEqual({ tallystickCustomerId: 'b' });
});

test('what others wrote on a customer is kept', async () => {
  await h.openMeter.upsertCustomers([customer('a', ['u1'])]);
  const { id } = (await send(h, 'GET', pathOf('a'))).body;
  const theirs = {
    name: 'Customer a',
    key: 'tallystick:customer:a',
    description: '2026-11-21T10:00:00Z',
    primaryEmail: 'a@a.example',
    currency: 'EUR',
    billingAddress: { country: 'DE', city: 'Berlin' },
    metadata: { stripeCustomerId: 'cus_a', tallystickCustomerId: 'a', region: 'west' },
    usageAttribution: { subjectKeys: ['u1'] },
  };
  expect((await send(h, 'PUT', `/${id}`, theirs)).status).toBe(200);
  await h.openMeter.upsertCustomers([customer('a', ['u1', 'u2'], { name: 'Renamed' })]);
  expect((await send(h, 'GET', `/${id}`)).body).toMatchObject({
    ...theirs,
    name: 'Renamed',
    usageAttribution: { subjectKeys: ['u1', 'u2'] },
  });
});

test('subjects that move between customers are taken before they are given, also in a circle', async () => {
  await h.openMeter.upsertCustomers([
    customer('a', ['u1', 'stay-a']),
    customer('b', ['u2']),
    customer('c', ['u3']),
  ]);
  await h.openMeter.upsertCustomers([
    customer('a', ['u2', 'stay-a']),
    customer('b', ['u3']),
    customer('c', ['u1']),
    customer('d', []),
  ]);
  expect(await subjectKeysAt(h, 'a')).toEqual(['stay-a', 'u2']);
  expect(await subjectKeysAt(h, 'b')).toEqual(['u3']);
  expect(await subjectKeysAt(h, 'c')).toEqual(['u1']);
});

test('a subject that belongs to somebody else is told by name, and the other customers are written all the same', async () => {
  await send(h, 'POST', '', { name: 'By hand', key: 'foreign', usageAttribution: { subjectKeys: ['u9'] } });
  const customers = [
    customer('a', ['u1', 'u9']),
    ...Array.from({ length: 20 }, (_, index) => customer(`n${index}`, [`s${index}`])),
  ];
  expect(await h.openMeter.upsertCustomers(customers)).toEqual([
    {
      customerId: 'a',
      reason: 'name_taken',
      message: 'Customer a lacks "u9" in OpenMeter: it is a subject key of customer foreign there',
      fix: expect.stringContaining('foreign'),
    },
  ]);
  expect(await subjectKeysAt(h, 'a')).toEqual(['u1']);
  expect((await send(h, 'GET', '')).body.totalCount).toBe(22);
});

test('a deleted customer frees key and subjects, and is made anew', async () => {
  await h.openMeter.upsertCustomers([customer('a', ['u1'])]);
  const { id } = (await send(h, 'GET', pathOf('a'))).body;
  expect((await send(h, 'DELETE', pathOf('a'))).status).toBe(204);
  expect((await send(h, 'PUT', `/${id}`, { name: 'x', key: 'a' })).status).toBe(412);
  await h.openMeter.upsertCustomers([customer('a', ['u1'])]);
  const again = (await send(h, 'GET', pathOf('a'))).body;
  expect(again.id).not.toBe(id);
  expect((await send(h, 'GET', `/${id}`)).body.deletedAt).toBeDefined();
});

test('a customer deleted between listing and update is made anew', async () => {
  await h.openMeter.upsertCustomers([customer('a', ['u1'])]);
  let isFirstUpdate = true;
  const racing = h.connect({
    fetch: async (input, init) => {
      if (init.method === 'PUT' && isFirstUpdate) {
        isFirstUpdate = false;
        await send(h, 'DELETE', pathOf('a'));
      }
      return fetch(input, init);
    },
  });
  await racing.upsertCustomers([customer('a', ['u1', 'u2'])]);
  expect(await subjectKeysAt(h, 'a')).toEqual(['u1', 'u2']);
});

test('more customers than one page holds are all compared', async () => {
  const many = Array.from({ length: 1_050 }, (_, index) => customer(`k${index}`, [`s${index}`]));
  await h.openMeter.upsertCustomers(many);
  h.requests.splice(0);
  await h.openMeter.upsertCustomers(many);
  expect(h.requests.map(({ call }) => call)).toEqual(['GET /api/v1/customers', 'GET /api/v1/customers']);
});

test('empty and overlong names become what OpenMeter takes', async () => {
  await h.openMeter.upsertCustomers([
    customer('a', [], { name: '  ' }),
    customer('b', [], { name: '\u{1F9FE}'.repeat(300) }),
  ]);
  expect((await send(h, 'GET', pathOf('a'))).body.name).toBe('a');
  h.requests.splice(0);
  await h.openMeter.upsertCustomers([customer('b', [], { name: '\u{1F9FE}'.repeat(300) })]);
  expect(writesOf(h)).toEqual([]);
  await h.openMeter.upsertCustomers([]);
  expect(h.requests).toHaveLength(1);
});

test.each([
  ['no name', { key: 'x' }, 400],
  ['neither key nor subjects', { name: 'x' }, 400],
  ['a key in use', { name: 'x', key: 'tallystick:customer:a' }, 409],
  ['a key that is a subject', { name: 'x', key: 'u1' }, 409],
  ['a subject in use', { name: 'x', key: 'x', usageAttribution: { subjectKeys: ['u1'] } }, 409],
  [
    'a subject that is a key',
    { name: 'x', key: 'x', usageAttribution: { subjectKeys: ['tallystick:customer:a'] } },
    409,
  ],
  ['one subject twice', { name: 'x', key: 'x', usageAttribution: { subjectKeys: ['u2', 'u2'] } }, 409],
  ['a NUL in its name', { name: 'x\u0000', key: 'x' }, 500],
  ['a NUL in a subject', { name: 'x', key: 'x', usageAttribution: { subjectKeys: ['u\u0000'] } }, 500],
  ['an empty subject', { name: 'x', key: 'x', usageAttribution: { subjectKeys: [''] } }, 400],
])('the stand-in refuses a customer with %s', async (_, body, status) => {
  await h.openMeter.upsertCustomers([customer('a', ['u1'])]);
  expect((await send(h, 'POST', '', body)).status).toBe(status);
});
