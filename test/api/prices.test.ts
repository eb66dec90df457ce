import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePriceYaml } from '../../pricing/prices/yaml.ts';
import { readPriceBook } from '../../src/prices/book.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage } from './world.ts';

let bench: ApiBench;
beforeEach(async () => {
  bench = await createApiBench();
  await insertCatalog(bench.ledger.database);
  await insertUsage(bench.ledger.database, [{ hour: '2026-11-19T09:00:00Z', tokens: 100n }]);
});
afterEach(() => bench.close());

type Price = { tokenType: string; amount: string };
type Body = Record<string, unknown> & { version: string; prices: Price[]; nextCursor: string | null };
const read = async <Shape = Body>(response: Response | Promise<Response>) =>
  (await (await response).json()) as Shape;
const post = (path: string, body: unknown, scope: 'sales' | 'finance' = 'finance') =>
  bench.call(path, {
    method: 'POST',
    scope,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const importFile = (query: string, text: string, type = 'text/csv') =>
  bench.call(`/v1/prices/import${query}`, { method: 'POST', headers: { 'content-type': type }, body: text });
const amounts = async (query: string) => {
  const body = await read(bench.call(`/v1/prices?${query}`));
  return body.prices.map((price) => `${price.tokenType} ${price.amount}`);
};
const countOf = async (table: 'price_book_changes' | 'price_book_rows' | 'audit_log' | 'rerating_requests') =>
  (await bench.ledger.database.selectFrom(table).selectAll().execute()).length;

describe('a file in another encoding', () => {
  const row = 'gpt-4o,prompt,2.40,2027-01-01,Preis für alle\n';
  const file = `model,tokenType,amount,effectiveFrom,note\n${row}`;
  const swapped = () => Buffer.from(`\uFEFF${file}`, 'utf16le').swap16();
  const post = (path: string, type: string, body: Uint8Array<ArrayBuffer>) =>
    bench.call(path, { method: 'POST', headers: { 'content-type': type }, body });

  it.each([
    [
      'Latin-1',
      () => Buffer.from(file, 'latin1'),
      'not UTF-8, but Latin-1 or Windows-1252 as it seems (line 2)',
    ],
    ['UTF-16 with a mark', () => Buffer.from(`\uFEFF${file}`, 'utf16le'), 'UTF-16 (little endian)'],
    ['UTF-16 of the other order', swapped, 'UTF-16 (big endian)'],
    ['UTF-16 without a mark', () => Buffer.from(file, 'utf16le'), 'UTF-16 (little endian)'],
  ])('is refused by name: %s', async (_, bytes, words) => {
    const body = new Uint8Array(bytes());
    const before = await countOf('price_book_rows');
    for (const [path, type] of [
      ['/v1/prices/import', 'text/csv'],
      ['/v1/prices/import', 'application/yaml'],
      ['/v1/plans', 'application/yaml'],
    ] as const) {
      const refused = await post(path, type, body);
      expect(refused.status).toBe(400);
      expect(await refused.json()).toMatchObject({
        code: 'VALIDATION',
        detail: expect.stringContaining(words),
      });
    }
    expect(await countOf('price_book_rows')).toBe(before);
  });

  it('is taken as UTF-8 with a byte order mark', async () => {
    const body = new Uint8Array(Buffer.from(`\uFEFF${file}`));
    expect((await post('/v1/prices/import', 'text/csv', body)).status).toBe(201);
    const prices = await read(bench.call('/v1/prices?model=gpt-4o&at=2027-02-01'));
    expect(JSON.stringify(prices)).toContain('Preis für alle');
  });
});

describe('the price book over the API', () => {
  it('lists what is in force, by another name of a model, and page by page', async () => {
    expect(await amounts('model=gpt-4o-2024-08-06&deploymentType=global')).toEqual([
      'completion 10.00',
      'prompt 2.50',
      'prompt_cached 1.25',
    ]);
    const seen: unknown[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? 'limit=200' : `limit=200&cursor=${cursor}`;
      const page: Body = await read(bench.call(`/v1/prices?${query}`));
      seen.push(...page.prices);
      cursor = page.nextCursor;
    } while (cursor !== null);
    const book = await readPriceBook(bench.ledger.database);
    expect(seen.length).toBe(book.timelines.size);
    expect(new Set(seen.map((price) => JSON.stringify(price))).size).toBe(seen.length);
  });

  it('says what may have been meant by an unknown model', async () => {
    const refused = await bench.call('/v1/prices?model=gpt4o');
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({
      code: 'UNKNOWN_MODEL',
      errors: [{ field: 'model', fix: expect.stringContaining('gpt-4o') }],
    });
  });

  it('adds a price from an instant on, to the second, and keeps the version before it', async () => {
    const before = (await (await bench.call('/v1/prices?limit=1')).json()) as Body;
    const added = await post('/v1/prices', {
      reason: 'New list.',
      prices: [{ model: 'o3', tokenType: 'prompt', amount: '1.80', effectiveFrom: '2026-12-01' }],
    });
    expect(added.status).toBe(201);
    const change = (await added.json()) as Body;
    expect(change).toMatchObject({ applied: true, addedCount: 1, supersededCount: 0, affectedDays: [] });
    expect(change.versionBefore).toBe(before.version);
    const only = 'model=o3&deploymentType=global&limit=5';
    expect(await amounts(`${only}&at=2026-11-30T23:59:59Z`)).toContain('prompt 2.00');
    expect(await amounts(`${only}&at=2026-12-01T00:00:00Z`)).toContain('prompt 1.80');
    expect(await amounts(`${only}&at=2026-12-01&version=${encodeURIComponent(before.version)}`)).toContain(
      'prompt 2.00',
    );
    // The plus sign of a version that nobody escaped.
    expect(await amounts(`${only}&at=2026-12-01&version=${before.version}`)).toContain('prompt 2.00');
    const diff = await read(bench.call('/v1/prices/diff?from=2026-11-30&to=2026-12-01'));
    expect(diff.differences).toMatchObject([
      { model: 'o3', before: { amount: '2.00' }, after: { amount: '1.80' }, changePercent: '-10.00' },
    ]);
    const versions = await read(bench.call(`/v1/prices/diff?from=1&to=${change.changeId}`));
    expect(versions.differences).toMatchObject([{ model: 'o3', before: null, after: { amount: '1.80' } }]);
  });

  it('corrects the past by superseding, says which days that alters, and writes it down', async () => {
    const correction = {
      reason: 'The list was misread.',
      prices: [{ model: 'o4-mini', tokenType: 'completion', amount: '4.60' }],
    };
    const refused = await post('/v1/prices', correction);
    expect([refused.status, await refused.json()]).toMatchObject([
      400,
      {
        errors: [
          {
            field: 'prices.0.effectiveFrom',
            message: expect.stringContaining('o4-mini global * completion'),
          },
        ],
      },
    ]);
    const before = await readPriceBook(bench.ledger.database);
    const dry = await post('/v1/prices', { ...correction, supersede: true, dryRun: true });
    const days = [{ start: '2026-11-19', end: '2026-11-22', models: ['o4-mini'] }];
    expect([dry.status, await dry.json()]).toMatchObject([200, { applied: false, affectedDays: days }]);
    const done = await post('/v1/prices', { ...correction, supersede: true });
    expect([done.status, await done.json()]).toMatchObject([201, { supersededCount: 1, affectedDays: days }]);
    expect(await bench.ledger.database.selectFrom('rerating_requests').selectAll().execute()).toMatchObject([
      { day_start: '2026-11-19', day_end: '2026-11-22', models: ['o4-mini'], done_at: null },
    ]);
    const [audit] = await bench.ledger.database
      .selectFrom('audit_log')
      .selectAll()
      .where('action', '=', 'price_book.correction')
      .execute();
    expect(audit).toMatchObject({ details: { reason: 'The list was misread.', affectedDays: days } });
    const asOf = await readPriceBook(bench.ledger.database, { version: before.version });
    expect(asOf.data.prices).toEqual(before.data.prices);
    const again = await post('/v1/prices', { ...correction, supersede: true });
    expect([again.status, await again.json()]).toMatchObject([200, { applied: false, unchangedCount: 1 }]);
  });

  it('never edits a row, whoever asks', async () => {
    const { database } = bench.ledger;
    const edit = database
      .updateTable('price_book_rows')
      .set({ amount: '0.01' })
      .where('model', '=', 'o1')
      .execute();
    await expect(edit).rejects.toThrow('is not edited');
    await expect(database.deleteFrom('price_book_rows').execute()).rejects.toThrow('is not edited');
  });

  it.each([
    ['zero', { amount: '0' }, 'is zero'],
    ['below zero', { amount: '-1' }, 'is negative'],
    ['a float', { amount: 2.5 }, 'decimal text'],
    ['absurd', { amount: '2000', effectiveFrom: '2027-01-01' }, 'is absurd'],
    ['not exact', { amount: '0.0000001', effectiveFrom: '2027-01-01' }, 'is not exact'],
    ['of another currency', { currency: 'eur', effectiveFrom: '2027-01-01' }, 'the currency of this book'],
    ['by the mile', { unit: 'image', effectiveFrom: '2027-01-01' }, 'does not go with prompt'],
    ['from no instant', { effectiveFrom: '2027-02-30' }, 'no UTC instant'],
  ])('refuses a price that is %s', async (_, price, message) => {
    const changes = await countOf('price_book_changes');
    const prices = [{ model: 'o3', tokenType: 'prompt', amount: '2.20', ...price }];
    const refused = await post('/v1/prices', { reason: 'x', supersede: true, prices });
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining(message)]);
    expect(await countOf('price_book_changes')).toBe(changes);
  });

  it('is for finance to change', async () => {
    const body = { reason: 'x', prices: [{ model: 'o3', tokenType: 'prompt', amount: '2.20' }] };
    expect((await post('/v1/prices', body, 'sales')).status).toBe(403);
    expect((await post('/v1/deployments', { reason: 'x', deployments: [] }, 'sales')).status).toBe(403);
    expect((await bench.call('/v1/prices', { scope: 'sales' })).status).toBe(200);
  });
});

describe('price files over the API', () => {
  it('imports what it exported, which changes nothing', async () => {
    for (const [format, type] of [
      ['yaml', 'application/yaml'],
      ['csv', 'text/csv'],
    ] as const) {
      const exported = await bench.call(`/v1/prices/export?format=${format}`);
      expect(exported.headers.get('content-type')).toContain(type);
      const imported = await importFile('', await exported.text(), type);
      expect([imported.status, await imported.json()]).toMatchObject([
        200,
        { applied: false, addedCount: 0 },
      ]);
    }
    const old = await (await bench.call('/v1/prices/export?version=1')).text();
    expect(parsePriceYaml(old).rows).toEqual(
      (await readPriceBook(bench.ledger.database, { version: '1' })).data.prices,
    );
  });

  it('applies nothing of a file with a bad line, and names each', async () => {
    const rows = await countOf('price_book_rows');
    const refused = await importFile(
      '',
      'model,tokenType,amount,effectiveFrom\no3,prompt,1.70,2027-01-01\no3,prompt,x,2027-02-01\no3,promt,1,\no3,prompt\n',
    );
    expect(refused.status).toBe(400);
    const { errors } = (await refused.json()) as { errors: { field: string }[] };
    expect(errors.map(({ field }) => field)).toEqual(['line 3: amount', 'line 4: tokenType', 'line 5: line']);
    const unknown = await importFile('', 'model,tokenType,amount\no33,prompt,1\n');
    expect([unknown.status, await unknown.text()]).toEqual([422, expect.stringContaining('Near names: o3')]);
    expect(await countOf('price_book_rows')).toBe(rows);
  });

  it('imports a new model when asked to, dry first', async () => {
    const text =
      'model,tokenType,amount,note\nllama-9,prompt,0.30,"=1+1, ""quoted"""\nllama-9,completion,0.60,\n';
    const dry = await importFile('?addModels=true&dryRun=true', text);
    expect([dry.status, await dry.json()]).toMatchObject([200, { applied: false, addedCount: 2 }]);
    const done = await importFile('?addModels=true&reason=A+new+one.', text);
    expect(done.status).toBe(201);
    expect(await amounts('model=LLAMA-9')).toEqual(['completion 0.60', 'prompt 0.30']);
    // It was used before it had a price: that is rated again.
    const requests = await bench.ledger.database.selectFrom('rerating_requests').selectAll().execute();
    expect(requests.at(-1)).toMatchObject({ models: ['llama-9'] });
  });

  it('applies one of two changes at a time', async () => {
    const add = (amount: string) =>
      post('/v1/prices', {
        reason: 'race',
        prices: [{ model: 'o1', tokenType: 'prompt', amount, effectiveFrom: '2028-01-01' }],
      });
    const answers = await Promise.all(['14', '13', '12', '11'].map(add));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400, 400]);
  });

  it('compares like with like', async () => {
    const mixed = await bench.call('/v1/prices/diff?from=2026-01-01&to=1');
    expect([mixed.status, await mixed.text()]).toEqual([400, expect.stringContaining('another sort')]);
    expect((await bench.call('/v1/prices/diff?from=1&to=999')).status).toBe(404);
  });
});

describe('deployments over the API', () => {
  it('say which model and type a deployment is, from an instant on', async () => {
    const mapped = await post('/v1/deployments', {
      reason: 'Ours.',
      deployments: [
        { deployment: 'Chat-*', model: 'gpt-4o-2024-11-20', deploymentType: 'data_zone', region: 'eu' },
        { deployment: 'chat-prod', model: 'o3', effectiveFrom: '2026-12-01' },
      ],
    });
    expect(mapped.status).toBe(201);
    const ruleAt = async (at: string) => {
      const path = `/v1/deployments?deployment=CHAT-PROD&at=${at}`;
      return (await read<{ deployments: object[] }>(bench.call(path))).deployments[0];
    };
    expect(await ruleAt('2026-11-30T23:59:59Z')).toMatchObject({
      deployment: 'chat-*',
      model: 'gpt-4o',
      region: 'eu',
    });
    expect(await ruleAt('2026-12-01')).toMatchObject({ deployment: 'chat-prod', model: 'o3' });
    const all = await read<{ deployments: object[] }>(bench.call('/v1/deployments'));
    expect(all.deployments.length).toBe(2);
    const [request] = await bench.ledger.database
      .selectFrom('rerating_requests')
      .selectAll()
      .orderBy('rerating_request_id', 'desc')
      .limit(1)
      .execute();
    expect(request).toMatchObject({ models: [] });
  });

  it.each([
    ['an unknown model', { deployment: 'x', model: 'o33' }, 422, 'Near names: o3'],
    ['nothing', { deployment: 'x' }, 400, 'must be given'],
    ['everything', { deployment: '*', model: 'o3' }, 400, 'fits every name'],
  ])('refuse %s', async (_, rule, status, message) => {
    const refused = await post('/v1/deployments', { reason: 'x', deployments: [rule] });
    expect([refused.status, await refused.text()]).toEqual([status, expect.stringContaining(message)]);
  });
});

describe('prices of service and context tiers', () => {
  const prompt = { model: 'tiered-1', tokenType: 'prompt' };
  const tiers = [
    { ...prompt, amount: '2.00' },
    { ...prompt, amount: '4', aboveInputTokenCount: 200_000 },
    { ...prompt, amount: '3.50', serviceTier: 'priority' },
    { model: 'tiered-1', tokenType: 'image', amount: '0.02', variant: '1024x1024 high' },
  ];
  const all = async () =>
    (await read(bench.call('/v1/prices?model=tiered-1'))).prices as unknown as Record<string, unknown>[];

  it('stand beside each other, each with its own history, and go out and in as they are', async () => {
    const models = [{ model: 'tiered-1', aliases: [] }];
    expect((await post('/v1/prices', { reason: 'Tiers.', models, prices: tiers })).status).toBe(201);
    for (const tier of tiers) expect(await all()).toContainEqual(expect.objectContaining(tier));
    const corrected = { ...prompt, amount: '4.40', aboveInputTokenCount: 200_000 };
    const body = { reason: 'Misread.', supersede: true, prices: [corrected] };
    expect(await read(post('/v1/prices', body))).toMatchObject({ supersededCount: 1 });
    expect((await all()).filter(({ tokenType }) => tokenType === 'prompt')).toMatchObject([
      { amount: '2.00', serviceTier: 'standard', aboveInputTokenCount: 0 },
      { amount: '4.40', aboveInputTokenCount: 200_000 },
      { amount: '3.50', serviceTier: 'priority' },
    ]);
    for (const [format, type] of [
      ['csv', 'text/csv'],
      ['yaml', 'application/yaml'],
    ] as const) {
      const file = await (await bench.call(`/v1/prices/export?format=${format}`)).text();
      expect(file).toContain('1024x1024 high');
      expect(await read(importFile('', file, type))).toMatchObject({ applied: false, addedCount: 0 });
    }
  });

  it('are refused by their field, and a deployment says its tier', async () => {
    const refused = await post('/v1/prices', {
      reason: 'Slip.',
      prices: [{ ...prompt, amount: '1', serviceTier: 'flex', deploymentType: 'batch' }],
    });
    expect(JSON.stringify(await refused.json())).toContain('does not go with batch');
    const rule = { deployment: 'fast-*', serviceTier: 'priority' };
    expect((await post('/v1/deployments', { reason: 'Bought.', deployments: [rule] })).status).toBe(201);
    expect(await read(bench.call('/v1/deployments?deployment=fast-1'))).toMatchObject({
      deployments: [rule],
    });
  });
});
