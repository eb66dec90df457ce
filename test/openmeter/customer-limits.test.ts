import { afterEach, expect, test } from 'vitest';
import { customer, keyCountsOf, pathOf, send, subjectKeysAt, users, writesOf } from './customer-world.ts';
import { type Harness, startHarness } from './harness.ts';

let h: Harness;
afterEach(() => h.close());

const attribution = (subjectKeys: string[]) => ({ usageAttribution: { subjectKeys } });

test('the stand-in breaks on 17,000 new keys of one customer, and on 50,000 in all', async () => {
  h = await startHarness();
  const base = { name: 'x', key: 'x' };
  expect((await send(h, 'POST', '', { ...base, ...attribution(users(17_000)) })).status).toBe(500);
  expect((await send(h, 'POST', '', { ...base, ...attribution(users(12_000)) })).status).toBe(201);
  for (const [count, status] of [
    [24_000, 200],
    [36_000, 200],
    [40_000, 200],
    [50_000, 500],
  ] as const) {
    expect((await send(h, 'PUT', '/x', { ...base, ...attribution(users(count)) })).status).toBe(status);
  }
  expect((await send(h, 'GET', '/x')).body.usageAttribution?.subjectKeys).toHaveLength(40_000);
  const long = users(30_000).map((name) => name.padEnd(40, 'x'));
  expect((await send(h, 'PUT', '/x', { ...base, ...attribution(long.slice(0, 15_000)) })).status).toBe(200);
  expect((await send(h, 'PUT', '/x', { ...base, ...attribution(long) })).status).toBe(500);
});

test('17,000 new users of one customer are added in chunks, and a second run writes nothing', async () => {
  h = await startHarness();
  const customers = [customer('a', users(17_000)), customer('b', ['u1'])];
  expect(await h.openMeter.upsertCustomers(customers)).toEqual([]);
  expect(await subjectKeysAt(h, 'a')).toEqual(users(17_000));
  expect(keyCountsOf(h).filter((count) => count > 1)).toEqual([4_000, 8_000, 12_000, 16_000, 17_000]);
  h.requests.splice(0);
  expect(await h.openMeter.upsertCustomers(customers)).toEqual([]);
  expect(writesOf(h)).toEqual([]);
  const grown = [customer('a', users(39_000)), customer('b', ['u1'])];
  expect(await h.openMeter.upsertCustomers(grown)).toEqual([]);
  expect(await subjectKeysAt(h, 'a')).toHaveLength(39_000);
});

test('all keys of a customer are taken away at once', async () => {
  h = await startHarness();
  await h.openMeter.upsertCustomers([customer('a', users(20_000))]);
  h.requests.splice(0);
  expect(await h.openMeter.upsertCustomers([customer('a', [])])).toEqual([]);
  expect(keyCountsOf(h)).toEqual([0]);
  expect(await subjectKeysAt(h, 'a')).toBeUndefined();
});

test('the time limit of a customer grows with its keys', async () => {
  h = await startHarness({ msPerSubjectKey: 0.1 });
  const impatient = h.connect({ timeoutMs: 300, attemptCount: 1 });
  expect(await impatient.upsertCustomers([customer('a', users(9_000))])).toEqual([]);
});

test('a customer on which OpenMeter breaks is told by name and number, and the others are written', async () => {
  h = await startHarness();
  const customers = [
    customer('a', users(50_000)),
    ...Array.from({ length: 12 }, (_, index) => customer(`n${index}`, [`s${index}`])),
  ];
  const problems = await h.openMeter.upsertCustomers(customers);
  expect(problems).toEqual([
    {
      customerId: 'a',
      reason: 'failed',
      message:
        'OpenMeter fails on customer a, which has 50000 subject keys (500: failed to publish customer event: Broker: Message size too large)',
      fix: expect.stringContaining('OPENMETER_SUBJECTS_MAX'),
    },
  ]);
  expect((await send(h, 'GET', '')).body.totalCount).toBe(13);
  // It is tried again, alone.
  h.requests.splice(0);
  expect(await h.openMeter.upsertCustomers(customers)).toEqual(problems);
  expect((await send(h, 'GET', pathOf('n11'))).status).toBe(200);
});

test('many such customers do not look like an outage', async () => {
  h = await startHarness();
  await h.openMeter.upsertCustomers([customer('good', ['u'])]);
  const broken = Array.from({ length: 9 }, (_, index) =>
    customer(`n${index}`, [], { name: `x\u0000${index}` }),
  );
  const problems = await h.openMeter.upsertCustomers([customer('good', ['u']), ...broken]);
  expect(problems.map(({ reason }) => reason)).toEqual(broken.map(() => 'failed'));
  expect(problems[0]?.message).toContain('invalid byte sequence');
});

test.each([
  ['nobody is there yet', false],
  ['another customer stands there', true],
])('a 5xx to everybody is an outage: %s', async (_, hasOther) => {
  h = await startHarness();
  if (hasOther) await h.openMeter.upsertCustomers([customer('z', ['u'])]);
  const down = h.connect({
    attemptCount: 1,
    fetch: async (input, init) =>
      init.method === 'GET' ? fetch(input, init) : new Response('', { status: 500 }),
  });
  const changed = hasOther ? ['a'] : ['a', 'b'];
  const wanted = [...(hasOther ? [customer('z', ['u'])] : []), ...changed.map((id) => customer(id, [id]))];
  await expect(down.upsertCustomers(wanted)).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
});
