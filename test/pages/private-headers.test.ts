import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ApiBench, createApiBench } from '../api/setup.ts';

let bench: ApiBench;

beforeAll(async () => {
  bench = await createApiBench({});
});
afterAll(() => bench.close());

const PATHS = [
  '/portal',
  '/portal/open?link=x',
  `/portal/s/${'a'.repeat(43)}`,
  `/portal/s/${'a'.repeat(43)}/hours`,
  '/console',
  '/console/links',
  '/console/sign-in',
  '/console/nowhere',
  '/quotes/quote_x',
  '/statements/in_x',
];

it.each(
  PATHS.flatMap((path) => ['GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE'].map((method) => [method, path])),
)('lets nobody frame, keep or follow what answers %s %s', async (method, path) => {
  const { headers, status } = await bench.api.request(path, { method });
  expect([
    status < 500,
    headers.get('content-security-policy')?.includes("frame-ancestors 'none'"),
    headers.get('cache-control'),
    headers.get('x-content-type-options'),
  ]).toEqual([true, true, 'no-store', 'nosniff']);
  expect(headers.get('referrer-policy')).toMatch(/^(no-referrer|same-origin)$/);
});

it('says the same where the ledger does not answer, and where a body is too large', async () => {
  const large = await bench.api.request('/console/sign-in', { method: 'POST', body: 'x'.repeat(300_000) });
  expect([large.status, large.headers.get('cache-control'), large.headers.get('referrer-policy')]).toEqual([
    413,
    'no-store',
    'no-referrer',
  ]);
  const broken = await createApiBench({});
  await broken.close();
  for (const path of [`/portal/s/${'a'.repeat(43)}`, '/statements/in_x?expires=1&signature=x']) {
    const { status, headers } = await broken.api.request(path);
    expect([status, headers.get('cache-control'), headers.get('referrer-policy')], path).toEqual([
      500,
      'no-store',
      'no-referrer',
    ]);
  }
});

it('leaves what holds nothing of anybody to be kept', async () => {
  const page = await (await bench.api.request('/portal')).text();
  const sheet = /href="(\/portal\/assets\/[^"]+)"/.exec(page)?.[1] ?? '';
  expect((await bench.api.request(sheet)).headers.get('cache-control')).toContain('immutable');
});
