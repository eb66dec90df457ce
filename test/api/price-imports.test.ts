import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ApiBench, createApiBench } from './setup.ts';

let bench: ApiBench;
beforeEach(async () => {
  bench = await createApiBench();
});
afterEach(() => bench.close());

const importFile = async (query: string, text: string) => {
  const response = await bench.call(`/v1/prices/import${query}`, {
    method: 'POST',
    headers: { 'content-type': 'text/csv' },
    body: text,
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const changeCount = async () =>
  (await bench.ledger.database.selectFrom('price_book_changes').selectAll().execute()).length;

it('imports what people have over the API, by its content, and tells what it did not understand', async () => {
  const before = await changeCount();
  const sheet =
    'MeterId,MeterName,UnitOfMeasure,UnitPrice,CurrencyCode,EffectiveStartDate\n' +
    '00000000-0000-4000-8000-000000000009,gpt 9 Inp,1K,0.0024,USD,2031-01-01\n';
  expect(await importFile('', sheet)).toMatchObject({
    status: 200,
    body: {
      applied: false,
      format: 'price-sheet',
      notTakenCount: 1,
      notTaken: [{ line: 2, details: { meterName: 'gpt 9 Inp', price: '0.0024 USD' } }],
    },
  });
  const map = '{"azure/gpt-4o": {"input_cost_per_token": 0.0000031, "litellm_provider": "azure"}}';
  expect((await importFile('?from=2031-01-01&dryRun=true', map)).status).toBe(200);
  expect(await changeCount()).toBe(before);
  const query = '?from=2031-01-01&listedAt=2026-12-01';
  // Two at once: the second finds what the first made.
  const both = await Promise.all([importFile(query, map), importFile(query, map)]);
  expect(both.map(({ status }) => status).sort()).toEqual([200, 201]);
  expect(both.find(({ status }) => status === 201)?.body).toMatchObject({
    format: 'litellm',
    addedPrices: [{ amount: '3.10', effectiveFrom: '2031-01-01T00:00:00Z', listedAt: '2026-12-01' }],
    pricesBefore: [{ amount: '2.50' }],
  });
  expect(await changeCount()).toBe(before + 1);
});

it('names the first of very many problems, and says how many there are', async () => {
  const before = await changeCount();
  const lines = Array.from(
    { length: 500 },
    (_, day) => `gpt-4o,prompt,-1,20${40 + (day % 50)}-01-01,x${day}`,
  );
  const refused = await importFile('', ['model,tokenType,amount,effectiveFrom,note', ...lines].join('\n'));
  expect(refused).toMatchObject({ status: 400, body: { code: 'VALIDATION' } });
  expect(refused.body.detail).toMatch(/^\d{3} things are wrong/);
  const errors = refused.body.errors as { field: string; message: string }[];
  expect(errors).toHaveLength(201);
  expect(errors.at(-1)).toMatchObject({
    field: 'file',
    message: expect.stringMatching(/^has \d+ more problems$/),
  });
  expect(await importFile('?from=tomorrow', 'gpt-4o: { prompt: 2e-6 }')).toMatchObject({ status: 400 });
  expect(await changeCount()).toBe(before);
});
