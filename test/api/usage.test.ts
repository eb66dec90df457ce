import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage } from './world.ts';

let bench: ApiBench;

interface UsageBody {
  rows: Record<string, string | null>[];
  nextCursor: string | null;
  openHourCount: string;
  collectedThrough: string | null;
}

async function usage(query: string): Promise<UsageBody> {
  const response = await bench.call(`/v1/usage?${query}`);
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as UsageBody;
}

beforeAll(async () => {
  bench = await createApiBench();
  const { database } = bench.ledger;
  await insertCatalog(database);
  await insertUsage(database, [
    { hour: '2026-11-20T09:00:00Z', tokens: 100n },
    { hour: '2026-11-20T09:00:00Z', tokens: 7n, revision: 2 },
    { hour: '2026-11-20T09:00:00Z', tokens: 40n, tokenType: 'completion' },
    { hour: '2026-11-20T10:00:00Z', tokens: 5n, feature: '=cmd()', subject: 'user-2' },
    { hour: '2026-11-20T23:00:00Z', tokens: 11n, model: 'gpt-4o-mini' },
    { hour: '2026-11-21T00:00:00Z', tokens: 3n, customer: 'adatum', subject: 'user-3' },
    { hour: '2026-11-21T00:00:00Z', tokens: 2n, customer: null, subject: 'stray', quarantine: 'no_customer' },
    { hour: '2026-10-31T23:00:00Z', tokens: 1_000_000_000_000_000n, model: 'gpt-4.1' },
  ]);
  await database
    .insertInto('hourly_activity')
    .values(
      [
        { subject: 'user-1', window: '2026-11-20T09:00:00Z', reasoning: 4n, requests: 9n },
        { subject: 'user-3', window: '2026-11-21T00:00:00Z', reasoning: 0n, requests: 2n },
      ].map((row) => ({
        window_start: new Date(row.window),
        subject: row.subject,
        feature: 'chat',
        model: 'gpt-4o',
        deployment: 'gpt-4o-global',
        reasoning_token_count: row.reasoning,
        request_count: row.requests,
        updated_at: new Date(),
      })),
    )
    .execute();
  await database
    .insertInto('settlements')
    .values({
      window_start: new Date('2026-11-21T00:00:00Z'),
      settled_version: null,
      next_attempt_at: null,
      settled_at: null,
    })
    .execute();
  await database
    .insertInto('watermarks')
    .values({ source: 'app-metrics', position: new Date('2026-11-21T10:20:00Z'), updated_at: new Date() })
    .execute();
});
afterAll(() => bench.close());

describe('GET /v1/usage', () => {
  it('adds up revisions and shows requests and reasoning beside tokens', async () => {
    const body = await usage('from=2026-11-20&to=2026-11-22&granularity=day');
    expect(body.rows).toEqual([
      {
        windowStart: '2026-11-20T00:00:00.000Z',
        windowEnd: '2026-11-21T00:00:00.000Z',
        tokenCount: '163',
        requestCount: '9',
        reasoningTokenCount: '4',
      },
      {
        windowStart: '2026-11-21T00:00:00.000Z',
        windowEnd: '2026-11-22T00:00:00.000Z',
        tokenCount: '5',
        requestCount: '2',
        reasoningTokenCount: '0',
      },
    ]);
    expect(body.openHourCount).toBe('1');
    expect(body.collectedThrough).toBe('2026-11-21T10:20:00.000Z');
  });

  it('keeps the hour of a window half-open', async () => {
    const body = await usage('from=2026-11-20T09:00:00Z&to=2026-11-20T10:00:00Z&granularity=hour');
    expect(body.rows.map((row) => row.tokenCount)).toEqual(['147']);
  });

  it('groups by token type without giving a request to any of them', async () => {
    const body = await usage('from=2026-11-20&to=2026-11-21&groupBy=model,tokenType');
    expect(body.rows.map((row) => [row.model, row.tokenType, row.tokenCount, row.requestCount])).toEqual([
      ['gpt-4o', 'completion', '40', null],
      ['gpt-4o', 'prompt', '112', null],
      ['gpt-4o-mini', 'prompt', '11', null],
    ]);
  });

  it('says null for usage that belongs to no customer, and gives activity to its customer', async () => {
    const body = await usage('from=2026-11-21&to=2026-11-22&groupBy=customer');
    expect(body.rows.map((row) => [row.customerId, row.tokenCount, row.requestCount])).toEqual([
      [null, '2', '0'],
      ['adatum', '3', '2'],
    ]);
  });

  it('filters by customer, subject, model and feature', async () => {
    const whole = 'from=2026-11-20&to=2026-11-22&granularity=month';
    const total = async (filter: string) => (await usage(`${whole}&${filter}`)).rows[0]?.tokenCount;
    expect(await total('customerId=adatum')).toBe('3');
    expect(await total('subject=user-2')).toBe('5');
    expect(await total('model=gpt-4o-mini')).toBe('11');
    expect(await total(`feature=${encodeURIComponent('=cmd()')}`)).toBe('5');
  });

  it('takes a calendar month as a period, and counts beyond 2^53 stay exact', async () => {
    const body = await usage('period=2026-10&granularity=month&groupBy=model');
    expect(body.rows).toMatchObject([
      { windowStart: '2026-10-01T00:00:00.000Z', model: 'gpt-4.1', tokenCount: '1000000000000000' },
    ]);
  });

  it('pages without losing or repeating a row', async () => {
    const query =
      'from=2026-10-01&to=2026-11-22&granularity=hour&groupBy=customer,subject,model,feature,tokenType';
    const all = (await usage(query)).rows;
    const paged: unknown[] = [];
    let cursor: string | null = null;
    let pageCount = 0;
    do {
      const page: UsageBody = await usage(`${query}&limit=2${cursor === null ? '' : `&cursor=${cursor}`}`);
      paged.push(...page.rows);
      cursor = page.nextCursor;
      pageCount += 1;
    } while (cursor !== null);
    expect(paged).toEqual(all);
    expect(pageCount).toBe(Math.ceil(all.length / 2));
  });

  const csv = { headers: { accept: 'text/csv' } };

  it('answers CSV when asked, whole and harmless to spreadsheets', async () => {
    const path = '/v1/usage?from=2026-11-20&to=2026-11-21&groupBy=feature,model';
    const response = await bench.call(path, csv);
    expect(response.headers.get('content-type')).toContain('text/csv');
    const rows = [
      'windowStart,windowEnd,feature,model,tokenCount,requestCount,reasoningTokenCount',
      "2026-11-20T00:00:00.000Z,2026-11-21T00:00:00.000Z,'=cmd(),gpt-4o,5,0,0",
      '2026-11-20T00:00:00.000Z,2026-11-21T00:00:00.000Z,chat,gpt-4o,147,9,4',
      '2026-11-20T00:00:00.000Z,2026-11-21T00:00:00.000Z,chat,gpt-4o-mini,11,0,0',
      '',
    ];
    expect((await response.text()).split('\r\n')).toEqual(rows);
    const bytes = async (query: string) =>
      Buffer.from(await (await bench.call(`${path}&${query}`, csv)).arrayBuffer()).toString('utf8');
    expect(await bytes('separator=semicolon')).toBe(`\uFEFF${rows.join('\r\n').replaceAll(',', ';')}`);
    expect(await bytes('separator=tab&bom=false')).toBe(rows.join('\r\n').replaceAll(',', '\t'));
    expect(await bytes('bom=true')).toBe(`\uFEFF${rows.join('\r\n')}`);
    for (const query of ['limit=2', 'cursor=x', 'separator=pipe', 'bom=yes']) {
      const refused = await bench.call(`${path}&${query}`, csv);
      expect([query, refused.status]).toEqual([query, 400]);
    }
  });

  it('exports every row as of one instant, while others write, and lets go when nobody reads on', async () => {
    const { database } = bench.ledger;
    const features = (prefix: string) =>
      Array.from({ length: 2_300 }, (_, index) => ({
        hour: '2026-11-22T09:00:00Z',
        tokens: 1n,
        feature: `${prefix}${String(index).padStart(4, '0')}`,
      }));
    await insertUsage(database, features('b'));
    const path = '/v1/usage?from=2026-11-22&to=2026-11-23&groupBy=feature';
    const whole = (await (await bench.call(path, csv)).text()).trimEnd().split('\r\n');
    expect(whole).toHaveLength(2_301);

    const reader = (await bench.call(path, csv)).body?.getReader();
    const chunks: string[] = [];
    for (let chunk = await reader?.read(); chunk?.done === false; chunk = await reader?.read()) {
      if (chunks.length === 0) await insertUsage(database, [...features('a'), ...features('c')]);
      chunks.push(Buffer.from(chunk.value).toString('utf8'));
    }
    expect(chunks.length).toBeGreaterThan(2);
    expect(chunks.join('').trimEnd().split('\r\n')).toEqual(whole);

    const left = (await bench.call(path, csv)).body?.getReader();
    await left?.read();
    await left?.cancel();
    const open = await sql<{ count: bigint }>`
      select count(*) as count from pg_stat_activity
      where datname = current_database() and state like 'idle in transaction%'`.execute(database);
    expect(open.rows).toEqual([{ count: 0n }]);
  });

  it.each([
    ['period=2026-13', 'period'],
    ['period=2026-5', 'period'],
    ['period=november', 'period'],
    ['period=2026-11&from=2026-11-01', 'period'],
    ['from=2026-11-01', 'to'],
    ['to=2026-11-01', 'from'],
    ['from=yesterday&to=2026-11-01', 'from'],
    ['from=2026-02-30&to=2026-11-01', 'from'],
    ['from=2026-11-02&to=2026-11-01', 'to'],
    ['from=2026-11-01&to=2026-11-01', 'to'],
    ['from=2026-11-01T00:30:00Z&to=2026-11-02', 'from'],
    ['from=2020-01-01&to=2026-11-02', 'to'],
    ['period=2026-11&granularity=week', 'granularity'],
    ['period=2026-11&groupBy=model,colour', 'groupBy.1'],
    ['period=2026-11&groupBy=model,model', 'groupBy'],
    ['period=2026-11&limit=0', 'limit'],
    ['period=2026-11&limit=99999', 'limit'],
    ['period=2026-11&cursor=nonsense', 'cursor'],
    [`period=2026-11&cursor=${Buffer.from('["x","y"]').toString('base64url')}&groupBy=model`, 'cursor'],
    ['period=2026-11&granularty=day', 'granularty'],
    ['period=2026-11&subject=%00', 'subject'],
    ['period=2026-11&model=a%00b', 'model'],
  ])('refuses %s and names %s', async (query, field) => {
    const response = await bench.call(`/v1/usage?${query}`);
    expect(response.status).toBe(400);
    const problem = (await response.json()) as { code: string; errors: { field: string }[] };
    expect(problem.code).toBe('VALIDATION');
    expect(problem.errors.map((error) => error.field)).toContain(field);
  });

  it('is closed to sales keys', async () => {
    expect((await bench.call('/v1/usage?period=2026-11', { scope: 'sales' })).status).toBe(403);
  });
});
