import { afterEach, beforeEach, expect, test } from 'vitest';
import { customer, pathOf, send, subjectKeysAt, writesOf } from './customer-world.ts';
import { type Harness, startHarness } from './harness.ts';

let h: Harness;
beforeEach(async () => {
  h = await startHarness();
});
afterEach(() => h.close());

/** A customer as it was made before keys were made of ids. */
const makeOld = async (id: string, subjectKeys: string[], more: object = {}) =>
  (
    await send(h, 'POST', '', {
      name: `Customer ${id}`,
      key: id,
      metadata: { stripeCustomerId: `cus_${id}` },
      ...(subjectKeys.length === 0 ? {} : { usageAttribution: { subjectKeys } }),
      ...more,
    })
  ).body;

test.each(['user first', 'customer first'])(
  'a customer whose id is another one’s user is written: %s',
  async (order) => {
    const [acme, bob] = [customer('acme', ['bob', 'u1']), customer('bob', ['u2'])];
    const both = order === 'user first' ? [acme, bob] : [bob, acme];
    for (const one of both) expect(await h.openMeter.upsertCustomers([one])).toEqual([]);
    expect(await h.openMeter.upsertCustomers(both.map((one) => ({ ...one, name: 'Renamed' })))).toEqual([]);
    expect(await subjectKeysAt(h, 'acme')).toEqual(['bob', 'u1']);
    expect(await subjectKeysAt(h, 'bob')).toEqual(['u2']);
  },
);

test('customers of before get their new key and keep id, subject keys and the old key as one of them', async () => {
  const old = await makeOld('acme', ['u1'], { primaryEmail: 'a@a.example' });
  expect(await h.openMeter.upsertCustomers([customer('acme', ['u1'])])).toEqual([]);
  const now = (await send(h, 'GET', pathOf('acme'))).body;
  expect(now).toMatchObject({ id: old.id, primaryEmail: 'a@a.example' });
  // What others send under the customer's own name stays attributed.
  expect(now.usageAttribution?.subjectKeys).toEqual(['u1', 'acme']);
  h.requests.splice(0);
  expect(await h.openMeter.upsertCustomers([customer('acme', ['u1'])])).toEqual([]);
  expect(writesOf(h)).toEqual([]);
  // It goes as soon as it is somebody's user.
  expect(await h.openMeter.upsertCustomers([customer('acme', ['u1']), customer('b', ['acme'])])).toEqual([]);
  expect(await subjectKeysAt(h, 'acme')).toEqual(['u1']);
  expect(await subjectKeysAt(h, 'b')).toEqual(['acme']);
});

test('a customer of before without users keeps its old key as a subject key, too', async () => {
  await makeOld('acme', []);
  h.requests.splice(0);
  for (let run = 0; run < 2; run += 1) {
    expect(await h.openMeter.upsertCustomers([customer('acme', [])])).toEqual([]);
    expect(await subjectKeysAt(h, 'acme')).toEqual(['acme']);
    expect(writesOf(h)).toHaveLength(1);
  }
});

test('old keys that are each other’s users are moved in a circle', async () => {
  for (const id of ['a', 'b', 'c']) await makeOld(id, [`u-${id}`]);
  const turned = [customer('a', ['b', 'u-c']), customer('b', ['c', 'u-a']), customer('c', ['a', 'u-b'])];
  expect(await h.openMeter.upsertCustomers(turned)).toEqual([]);
  expect(await subjectKeysAt(h, 'a')).toEqual(['b', 'u-c']);
  expect(await subjectKeysAt(h, 'b')).toEqual(['c', 'u-a']);
  expect(await subjectKeysAt(h, 'c')).toEqual(['a', 'u-b']);
  h.requests.splice(0);
  expect(await h.openMeter.upsertCustomers(turned)).toEqual([]);
  expect(writesOf(h)).toEqual([]);
});

test('a customer whose key somebody changed is found by its metadata', async () => {
  await h.openMeter.upsertCustomers([customer('acme', ['u1'])]);
  const { id, ...made } = (await send(h, 'GET', pathOf('acme'))).body;
  await send(h, 'PUT', `/${id}`, { ...made, key: 'by-hand' });
  expect(await h.openMeter.upsertCustomers([customer('acme', ['u1', 'u2'])])).toEqual([]);
  expect((await send(h, 'GET', pathOf('acme'))).body.id).toBe(id);
});

test('where a key may not change, the customer is written under the one it has', async () => {
  const old = await makeOld('acme', ['u1']);
  const stubborn = h.connect({
    fetch: async (input, init) => {
      const body = init.method === 'PUT' ? await new Response(init.body).text() : '';
      return body.includes('"key":"tallystick')
        ? new Response('{"detail":"key is immutable"}', { status: 400 })
        : fetch(input, init);
    },
  });
  expect(await stubborn.upsertCustomers([customer('acme', ['u1', 'u2'], { name: 'Renamed' })])).toEqual([]);
  expect((await send(h, 'GET', `/${old.id}`)).body).toMatchObject({
    key: 'acme',
    name: 'Renamed',
    usageAttribution: { subjectKeys: ['u1', 'u2', 'acme'] },
  });
});

test('a user whose id is the key of a stranger is left out by name; all else is written', async () => {
  await send(h, 'POST', '', { name: 'By hand', key: 'bob' });
  const problems = await h.openMeter.upsertCustomers([
    customer('acme', ['bob', 'u1']),
    customer('b', ['u2']),
  ]);
  expect(problems).toMatchObject([
    {
      customerId: 'acme',
      reason: 'name_taken',
      message: 'Customer acme lacks "bob" in OpenMeter: it is the key of customer bob there',
    },
  ]);
  expect(await subjectKeysAt(h, 'acme')).toEqual(['u1']);
  expect(await subjectKeysAt(h, 'b')).toEqual(['u2']);
  h.requests.splice(0);
  const again = await h.openMeter.upsertCustomers([
    customer('acme', ['bob', 'u1'], { name: 'Renamed' }),
    customer('b', ['u2']),
  ]);
  expect(again).toEqual(problems);
  expect(writesOf(h)).toHaveLength(1);
});

test('a user who is called like a customer’s key is attributed by the ledger, and takes nobody’s place', async () => {
  const evil = 'tallystick:customer:b';
  const customers = [customer('a', [evil, 'u1']), customer('b', ['u2'])];
  expect(await h.openMeter.upsertCustomers(customers)).toMatchObject([
    { customerId: 'a', reason: 'name_taken', message: expect.stringContaining(`"${evil}"`) },
  ]);
  expect(await subjectKeysAt(h, 'a')).toEqual(['u1']);
  expect(await subjectKeysAt(h, 'b')).toEqual(['u2']);
});

test('a key that a stranger’s user has cannot be taken, and is told', async () => {
  await send(h, 'POST', '', {
    name: 'By hand',
    key: 'stranger',
    usageAttribution: { subjectKeys: ['tallystick:customer:a'] },
  });
  expect(await h.openMeter.upsertCustomers([customer('a', ['u1']), customer('b', ['u2'])])).toMatchObject([
    {
      customerId: 'a',
      reason: 'name_taken',
      message:
        'Customer a lacks "tallystick:customer:a" in OpenMeter: it is a subject key of customer stranger there',
    },
  ]);
  expect(await subjectKeysAt(h, 'b')).toEqual(['u2']);
});

test('an id too long for a key is told apart by its hash', async () => {
  const [one, two] = [`${'x'.repeat(300)}1`, `${'x'.repeat(300)}2`];
  const customers = [customer(one, ['u1']), customer(two, ['u2'])];
  expect(await h.openMeter.upsertCustomers(customers)).toEqual([]);
  expect([await subjectKeysAt(h, one), await subjectKeysAt(h, two)]).toEqual([['u1'], ['u2']]);
  h.requests.splice(0);
  expect(await h.openMeter.upsertCustomers(customers)).toEqual([]);
  expect(writesOf(h)).toEqual([]);
});

test('usage under a name is the customer’s whose key it is, before whose subject key', async () => {
  const { CustomerStore } = await import('../../sandbox/openmeter/customer-store.ts');
  const store = new CustomerStore();
  const at = { createdAt: '', updatedAt: '' };
  store.put({ id: '1', name: 'by subject', key: 'x', usageAttribution: { subjectKeys: ['n'] }, ...at });
  store.put({ id: '2', name: 'by key', key: 'n', ...at });
  expect(store.withSubject('n')?.name).toBe('by key');
});
