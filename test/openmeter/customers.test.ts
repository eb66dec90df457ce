import { afterEach, beforeEach, expect, test } from 'vitest';
import type { WireCustomer } from '../../sandbox/openmeter/resources.ts';
import type { MeteringCustomer } from '../../src/openmeter/port.ts';
import { type Harness, readJson, startHarness } from './harness.ts';

let h: Harness;
beforeEach(async () => {
  h = await startHarness();
});
afterEach(() => h.close());

/** A customer, or a page of them. */
type CustomerAnswer = WireCustomer & { totalCount: number };
const nothing = {} as CustomerAnswer;

const send = async (method: string, path: string, body?: unknown) => {
  const answer = await fetch(`${h.url}/api/v1/customers${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return {
    status: answer.status,
    body: answer.status === 204 ? nothing : await readJson<CustomerAnswer>(answer),
  };
};
const customer = (customerId: string, subjectKeys: string[], more: Partial<MeteringCustomer> = {}) => ({
  customerId,
  name: `Customer ${customerId}`,
  stripeCustomerId: `cus_${customerId}`,
  subjectKeys,
  ...more,
});
const subjectKeys = async (key: string) => (await send('GET', `/${key}`)).body.usageAttribution?.subjectKeys;
const writes = () => h.requests.filter(({ call }) => call.includes('/customers') && !call.startsWith('GET'));

test('customers are made with key, name, all subject keys and the Stripe id, and written again only if they differ', async () => {
  const customers = [
    customer('a', ['u1', 'u2']),
    customer('b', []),
    customer('c', ['2026-11-21T10:00:00Z', '\u{1F9FE}']),
  ];
  await h.openMeter.upsertCustomers(customers);
  expect((await send('GET', '/a')).body).toMatchObject({
    key: 'a',
    name: 'Customer a',
    usageAttribution: { subjectKeys: ['u1', 'u2'] },
    metadata: { stripeCustomerId: 'cus_a' },
  });
  expect(await subjectKeys('c')).toEqual(['2026-11-21T10:00:00Z', '\u{1F9FE}']);
  expect(writes()).toHaveLength(3);
  await h.openMeter.upsertCustomers(
    customers.map((one) => ({ ...one, subjectKeys: one.subjectKeys.toReversed() })),
  );
  expect(writes()).toHaveLength(3);
  await h.openMeter.upsertCustomers([
    customer('a', ['u1', 'u3']),
    customer('b', [], { stripeCustomerId: null }),
  ]);
  expect(writes()).toHaveLength(5);
  expect(await subjectKeys('a')).toEqual(['u1', 'u3']);
  expect((await send('GET', '/b')).body.metadata).toEqual({});
});

test('what others wrote on a customer is kept', async () => {
  await h.openMeter.upsertCustomers([customer('a', ['u1'])]);
  const { id } = (await send('GET', '/a')).body;
  const theirs = {
    name: 'Customer a',
    key: 'a',
    description: '2026-11-21T10:00:00Z',
    primaryEmail: 'a@a.example',
    currency: 'EUR',
    billingAddress: { country: 'DE', city: 'Berlin' },
    metadata: { stripeCustomerId: 'cus_a', region: 'west' },
    usageAttribution: { subjectKeys: ['u1'] },
  };
  expect((await send('PUT', `/${id}`, theirs)).status).toBe(200);
  await h.openMeter.upsertCustomers([customer('a', ['u1', 'u2'], { name: 'Renamed' })]);
  expect((await send('GET', `/${id}`)).body).toMatchObject({
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
  expect(await subjectKeys('a')).toEqual(['u2', 'stay-a']);
  expect(await subjectKeys('b')).toEqual(['u3']);
  expect(await subjectKeys('c')).toEqual(['u1']);
});

test('a subject that belongs to somebody else is told by name, and the other customers are written all the same', async () => {
  await send('POST', '', { name: 'By hand', key: 'foreign', usageAttribution: { subjectKeys: ['u9'] } });
  const customers = [
    customer('a', ['u1', 'u9']),
    ...Array.from({ length: 20 }, (_, index) => customer(`n${index}`, [`s${index}`])),
  ];
  await expect(h.openMeter.upsertCustomers(customers)).rejects.toMatchObject({
    code: 'UPSTREAM_REJECTED',
    statusCode: 409,
    retry: false,
    message: 'OpenMeter refused customer a: subject "u9" belongs to customer foreign',
    context: { customerId: 'a', refused: ['a'], conflicts: [{ subject: 'u9', owner: 'foreign' }] },
    fix: expect.stringContaining('foreign'),
  });
  expect((await send('GET', '')).body.totalCount).toBe(21);
});

test('a deleted customer frees key and subjects, and is made anew', async () => {
  await h.openMeter.upsertCustomers([customer('a', ['u1'])]);
  const { id } = (await send('GET', '/a')).body;
  expect((await send('DELETE', '/a')).status).toBe(204);
  expect((await send('PUT', `/${id}`, { name: 'x', key: 'a' })).status).toBe(404);
  await h.openMeter.upsertCustomers([customer('a', ['u1'])]);
  const again = (await send('GET', '/a')).body;
  expect(again.id).not.toBe(id);
  expect((await send('GET', `/${id}`)).body.deletedAt).toBeDefined();
});

test('a customer deleted between listing and update is made anew', async () => {
  await h.openMeter.upsertCustomers([customer('a', ['u1'])]);
  let isFirstUpdate = true;
  const racing = h.connect({
    fetch: async (input, init) => {
      if (init.method === 'PUT' && isFirstUpdate) {
        isFirstUpdate = false;
        await send('DELETE', '/a');
      }
      return fetch(input, init);
    },
  });
  await racing.upsertCustomers([customer('a', ['u1', 'u2'])]);
  expect(await subjectKeys('a')).toEqual(['u1', 'u2']);
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
  expect((await send('GET', '/a')).body.name).toBe('a');
  h.requests.splice(0);
  await h.openMeter.upsertCustomers([customer('b', [], { name: '\u{1F9FE}'.repeat(300) })]);
  expect(writes()).toEqual([]);
  await h.openMeter.upsertCustomers([]);
  expect(h.requests).toHaveLength(1);
});

test.each([
  ['no name', { key: 'x' }, 400],
  ['neither key nor subjects', { name: 'x' }, 400],
  ['a key in use', { name: 'x', key: 'a' }, 409],
  ['a subject in use', { name: 'x', key: 'x', usageAttribution: { subjectKeys: ['u1'] } }, 409],
  ['an empty subject', { name: 'x', key: 'x', usageAttribution: { subjectKeys: [''] } }, 400],
])('the stand-in refuses a customer with %s', async (_, body, status) => {
  await h.openMeter.upsertCustomers([customer('a', ['u1'])]);
  expect((await send('POST', '', body)).status).toBe(status);
});
