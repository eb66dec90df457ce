import { parse } from 'csv-parse/sync';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DAY_MS } from '../../src/platform/clock.ts';
import { DEFAULT_API_SETTINGS } from '../../src/platform/http/dependencies.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage, STEADY_USE } from './world.ts';

let bench: ApiBench;

interface QuoteBody {
  quoteId: string;
  pageUrl: string;
  resultHash: string;
  priceBookVersion: string;
  lines: { tokenType: string; cost: { amount: string } }[];
}
interface Recomputed {
  reproduced: { identical: boolean; storedHash: string; recomputedHash: string };
  changed: {
    priceBook: { before: string; now: string; changed: boolean };
    plan: { before: string; now: string; changed: boolean } | null;
    rates: boolean;
    usage: boolean;
    lines: { tokenType: string; before: { cost: string } | null; now: { cost: string } | null }[];
    totals: { before: { cost: string }; now: { cost: string } };
  };
  now: { priceBookVersion: string } | null;
  nowReason: string | null;
}

const json = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

async function quote(body: unknown): Promise<QuoteBody> {
  const response = await bench.call('/v1/quotes', json(body));
  expect(response.status, await response.clone().text()).toBe(201);
  return (await response.json()) as QuoteBody;
}

async function recompute(quoteId: string): Promise<Recomputed> {
  const response = await bench.call(`/v1/quotes/${quoteId}/recompute`, { method: 'POST' });
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as Recomputed;
}

const usage = [{ model: 'gpt-4o', promptTokenCount: 2_000_000, completionTokenCount: 1_000_000 }];

beforeEach(async () => {
  bench = await createApiBench();
  await insertCatalog(bench.ledger.database);
  await insertUsage(bench.ledger.database, STEADY_USE);
  await insertUsage(
    bench.ledger.database,
    [1, 2, 3, 4, 5, 6].flatMap((user) => [
      { hour: '2026-11-09T09:00:00Z', subject: `user-${user}`, tokens: BigInt(user) * 1_000n },
      {
        hour: '2026-11-18T09:00:00Z',
        subject: `user-${user}`,
        tokens: 77n,
        tokenType: 'completion' as const,
      },
    ]),
  );
});
afterEach(() => bench.close());

/** Every way to give usage, prices and modes, so that each part of a snapshot is proven to be kept. */
const REQUESTS: [string, object][] = [
  ['tokens', { usage, targetMarginPercent: '33.3333' }],
  ['a plan with tiers', { usage, planId: 'scale' }],
  ['a plan by markup', { usage: [{ ...usage[0], model: 'gpt-4o-2024-08-06' }], planId: 'cost-plus' }],
  ['a customer', { likeCustomer: { customerId: 'northwind', scale: '1.234567' }, customerId: 'northwind' }],
  ['active users', { activeUsers: [{ feature: 'chat', count: 250 }] }],
  [
    'adjusted usage on top of a customer',
    {
      usage,
      customerId: 'northwind',
      mode: 'merge',
      adjustments: {
        modelSwaps: [{ from: 'gpt-4o', to: 'gpt-4.1' }],
        cachedShare: '0.333333',
        batchShare: '0.1',
      },
    },
  ],
  ['instead of a customer', { usage, customerId: 'northwind', mode: 'replace', planId: 'scale' }],
];

describe('a stored quote', () => {
  it.each(REQUESTS)('is computed again to the bit: %s', async (_name, request) => {
    const { quoteId } = await quote(request);
    const { reproduced, changed } = await recompute(quoteId);
    expect(reproduced.identical).toBe(true);
    expect(changed).toMatchObject({ priceBook: { changed: false }, rates: false, usage: false, lines: [] });
  });

  it('still is when prices, rates and usage changed since, and says what did', async () => {
    const { database } = bench.ledger;
    const ids = new Map<string, string>();
    for (const [name, request] of REQUESTS) ids.set(name, (await quote(request)).quoteId);
    const raised = await bench.call(
      '/v1/prices',
      json({
        reason: 'New list.',
        prices: [{ model: 'gpt-4o', tokenType: 'prompt', amount: '2.60', effectiveFrom: '2026-11-22' }],
      }),
    );
    expect(raised.status, await raised.clone().text()).toBe(201);
    await database
      .updateTable('subscription_items')
      .set({ unit_amount_decimal: '0.0004' })
      .where('subscription_item_id', 'like', '%_prompt')
      .execute();
    await insertUsage(database, [{ hour: '2026-11-21T09:00:00Z', subject: 'user-1', tokens: 5_000_000n }]);
    bench.clock.instant = new Date('2026-11-23T10:30:00Z');
    for (const [name] of REQUESTS) {
      const { reproduced, changed } = await recompute(ids.get(name) ?? '');
      expect(reproduced.identical, name).toBe(true);
      expect(reproduced.recomputedHash).toBe(reproduced.storedHash);
      expect(changed.priceBook.changed).toBe(true);
    }
    const given = await recompute(ids.get('tokens') ?? '');
    expect(given.changed).toMatchObject({ rates: true, usage: false, plan: null });
    expect(given.changed.lines).toMatchObject([
      { tokenType: 'prompt', before: { cost: '5.00', price: '6.00' }, now: { cost: '5.20', price: '8.00' } },
    ]);
    const like = await recompute(ids.get('a customer') ?? '');
    expect(like.changed.usage).toBe(true);
    const planned = await recompute(ids.get('a plan with tiers') ?? '');
    expect(planned.changed).toMatchObject({ rates: false, plan: { changed: false } });
  });

  it('is not reproduced when what it rests on was tampered with: the proof can fail', async () => {
    const { quoteId } = await quote({ usage });
    await sql`alter table quotes disable trigger quotes_append_only`.execute(bench.ledger.database);
    await sql`update quotes set snapshot = replace(snapshot, '2000000', '2000001')
              where quote_id = ${quoteId}`.execute(bench.ledger.database);
    await sql`alter table quotes enable trigger quotes_append_only`.execute(bench.ledger.database);
    expect((await recompute(quoteId)).reproduced.identical).toBe(false);
  });

  it('says why there is no answer today', async () => {
    const { quoteId } = await quote({ activeUsers: [{ feature: 'chat', count: 250 }] });
    bench.clock.instant = new Date('2027-03-01T00:30:00Z');
    await insertUsage(bench.ledger.database, [
      { hour: '2027-02-28T09:00:00Z', feature: 'search', tokens: 1n },
    ]);
    const { reproduced, now, nowReason } = await recompute(quoteId);
    expect(reproduced.identical).toBe(true);
    expect(now).toBeNull();
    expect(nowReason).toContain('UNKNOWN_FEATURE');
  });

  it('cannot be changed or removed by any statement', async () => {
    const { database } = bench.ledger;
    await quote({ usage });
    for (const statement of [
      sql`update quotes set result = '{}'`,
      sql`delete from quotes`,
      sql`truncate quotes cascade`,
    ]) {
      await expect(statement.execute(database)).rejects.toThrow('never changed');
    }
  });

  it('answers to the letter what it answered first', async () => {
    const first = await bench.call('/v1/quotes', json({ usage, title: 'Früh "1"', validDays: 7 }));
    const text = await first.text();
    const { quoteId } = JSON.parse(text) as QuoteBody;
    expect(await (await bench.call(`/v1/quotes/${quoteId}`)).text()).toBe(text);
  });
});

describe('the list of quotes', () => {
  it('is paged, the newest first, by customer and by who made them', async () => {
    bench.clock.instant = new Date('2026-11-24T10:30:00Z');
    const made = [];
    for (let index = 0; index < 3; index += 1) {
      bench.clock.instant = new Date(bench.clock.instant.getTime() + 1_000);
      made.unshift((await quote({ usage, customerId: 'adatum', title: `No. ${index}` })).quoteId);
    }
    const list = async (query: string) =>
      (await (await bench.call(`/v1/quotes?${query}`)).json()) as {
        quotes: { quoteId: string; createdBy: string; title: string; invoiceAmount: string }[];
        nextCursor: string | null;
      };
    const first = await list('customerId=adatum&limit=2');
    expect(first.quotes).toMatchObject([
      { quoteId: made[0], title: 'No. 2', customerId: 'adatum', currency: 'eur' },
      { quoteId: made[1] },
    ]);
    const second = await list(`customerId=adatum&limit=2&cursor=${first.nextCursor}`);
    expect(second.quotes.map(({ quoteId }) => quoteId)).toEqual([made[2]]);
    expect(second.nextCursor).toBeNull();
    const author = encodeURIComponent(first.quotes[0]?.createdBy ?? '');
    expect((await list(`createdBy=${author}&limit=1`)).quotes[0]?.quoteId).toBe(made[0]);
    expect((await list('createdBy=nobody')).quotes).toEqual([]);
  });
});

describe('a quote as CSV', () => {
  it('has its lines, its invoice lines and their sums', async () => {
    const { quoteId } = await quote({ usage: [{ ...usage[0], feature: '=cmd()' }], planId: 'scale' });
    const named = await bench.call(`/v1/quotes/${quoteId}.csv`);
    const asked = await bench.call(`/v1/quotes/${quoteId}`, { headers: { accept: 'text/csv' } });
    const text = await named.text();
    expect(named.headers.get('content-type')).toContain('text/csv');
    expect(await asked.text()).toBe(text);
    const rows = parse(text, { columns: true }) as Record<string, string>[];
    expect(rows.map((row) => row.kind)).toEqual([
      'line',
      'line',
      'total',
      'invoice_line',
      'invoice_line',
      'minimum',
      'invoice_total',
    ]);
    expect(rows[0]).toMatchObject({ quoteId, model: 'gpt-4o', feature: "'=cmd()", tokenCount: '2000000' });
    expect(rows.at(-1)).toMatchObject({ price: '500.00', currency: 'usd' });
  });
});

describe('the link to a quote’s page', () => {
  const open = (url: string, init: RequestInit = {}) => bench.api.request(url, init);

  it('opens it, and only it, until it expires', async () => {
    const { pageUrl } = await quote({ usage, validDays: 2 });
    const other = await quote({ usage });
    const response = await open(pageUrl);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await response.text()).not.toMatch(/margin|cost/i);
    const url = new URL(pageUrl);
    const altered = {
      'no signature': url.pathname,
      'another signature': pageUrl.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      'a later time': pageUrl.replace(/expires=\d/, 'expires=9'),
      'another quote': pageUrl.replace(url.pathname, `/quotes/${other.quoteId}`),
      'an id of another shape': pageUrl.replace(url.pathname, '/quotes/quote_1'),
    };
    for (const [what, link] of Object.entries(altered)) expect((await open(link)).status, what).toBe(404);
    bench.clock.instant = new Date(bench.clock.instant.getTime() + 2 * DAY_MS);
    expect((await open(pageUrl)).status).toBe(404);
  });

  it('shows cost and margin to a key alone', async () => {
    const { pageUrl, quoteId } = await quote({ usage });
    expect((await open(`${pageUrl}&view=internal`)).status).toBe(401);
    const withKey = { headers: { authorization: `Bearer ${bench.keys.finance}` } };
    const internal = await open(`/quotes/${quoteId}?view=internal`, withKey);
    expect(await internal.text()).toContain('Internal: cost and margin');
    const withoutKey = { headers: { authorization: 'Bearer tsk_wrong' } };
    expect((await open(`/quotes/${quoteId}?view=internal`, withoutKey)).status).toBe(404);
  });

  it('holds markup that somebody put into a title as text', async () => {
    const { pageUrl } = await quote({
      usage,
      title: '<script>alert(1)</script>',
      preparedFor: '"><img src=x>',
    });
    const text = await (await open(pageUrl)).text();
    expect(text).toContain('&lt;script&gt;');
    expect(text).not.toMatch(/<script|<img/);
  });

  it('is signed by the configured key where there is one', async () => {
    const { pageUrl } = await quote({ usage });
    const settings = {
      ...DEFAULT_API_SETTINGS,
      linkSigningKey: 'k'.repeat(32),
      publicUrl: 'https://billing.example/',
    };
    const configured = await createApiBench({ settings });
    const made = await configured.call('/v1/quotes', json({ usage }));
    const { pageUrl: signed } = (await made.json()) as QuoteBody;
    expect(signed).toMatch(/^https:\/\/billing\.example\/quotes\/quote_/);
    expect((await configured.api.request(signed)).status).toBe(200);
    expect((await configured.api.request(pageUrl)).status).toBe(404);
    await configured.close();
  });
});
