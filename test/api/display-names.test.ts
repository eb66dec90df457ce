import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog } from './world.ts';

let bench: ApiBench;
beforeAll(async () => {
  bench = await createApiBench();
  await insertCatalog(bench.ledger.database);
});
afterAll(() => bench.close());

const PATH = '/v1/customers/northwind/display-names';
const HOSTILE = `<script>alert(1)</script>‮${'م'.repeat(480)}`;

async function put(names: object, path = PATH) {
  const response = await bench.call(path, {
    method: 'PUT',
    scope: 'finance',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ names }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function list(path = PATH) {
  const response = await bench.call(path, { scope: 'finance' });
  return (await response.json()) as { names: { subject: string; name: string }[]; nextCursor: string | null };
}

it('keeps names as they were given, those of others too, and takes away what is null', async () => {
  await put({ audited: null });
  expect((await put({ 'user-1': ' Ada ', 'user-2': HOSTILE, unseen: 'Later' })).body).toEqual({
    setCount: 3,
    removedCount: 0,
  });
  expect((await put({ 'user-1': 'Ada', unseen: null, nobody: null })).body).toEqual({
    setCount: 0,
    removedCount: 1,
  });
  const first = await list(`${PATH}?limit=1`);
  expect(first.names).toEqual([{ subject: 'user-1', name: 'Ada' }]);
  expect((await list(`${PATH}?cursor=${first.nextCursor}`)).names).toEqual([
    { subject: 'user-2', name: HOSTILE },
  ]);
});

it('holds the names of each customer apart, and refuses customers that are not there', async () => {
  await put({ 'user-1': 'Somebody else' }, '/v1/customers/adatum/display-names');
  expect((await list()).names.map(({ name }) => name)).not.toContain('Somebody else');
  expect((await put({ a: 'b' }, '/v1/customers/nobody/display-names')).status).toBe(404);
});

it('refuses what is no name, and too many at once', async () => {
  const tooMany = Object.fromEntries(Array.from({ length: 2_001 }, (_, index) => [`u${index}`, 'x']));
  for (const names of [{ a: '' }, { a: '  ' }, { a: 'x'.repeat(513) }, { a: '\0' }, { '': 'x' }, tooMany]) {
    expect((await put(names)).status, JSON.stringify(names).slice(0, 60)).toBe(400);
  }
});

it('writes how many were set to the audit log, and none of the names', async () => {
  await put({ audited: 'Grace' });
  await put({ audited: 'Grace' });
  const rows = await bench.ledger.database
    .selectFrom('audit_log')
    .select(['target', 'details'])
    .where('action', '=', 'display_names.set')
    .execute();
  expect(rows.filter(({ target }) => target === 'northwind').length).toBeGreaterThan(0);
  expect(JSON.stringify(rows)).not.toContain('Grace');
});
