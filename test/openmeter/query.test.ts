import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, hours, readJson, startHarness, usageEventBody } from './harness.ts';

let h: Harness;
beforeAll(async () => {
  h = await startHarness({ flushDelayMs: 0 });
  await h.openMeter.ensureMeters();
  await h.openMeter.upsertCustomers([
    { customerId: 'cust-1', name: 'One', stripeCustomerId: null, subjectKeys: ['user-1', 'user-2'] },
  ]);
  await h.openMeter.ingestEvents([
    usageEventBody({ id: '1', time: '2026-11-01T00:00:00Z' }),
    usageEventBody({ id: '2', time: '2026-11-01T00:59:59Z', model: 'o4-mini' }),
    usageEventBody({ id: '3', time: '2026-11-01T01:00:00Z', subject: 'user-2' }),
    usageEventBody({
      id: '4',
      time: '2026-11-01T05:30:00Z',
      subject: 'user-3',
      data: { prompt_tokens: '-30' },
    }),
  ]);
});
afterAll(() => h.close());

type Query = Record<string, unknown>;
const post = async (query: Query, slug = 'tallystick_prompt_tokens', accept = 'application/json') => {
  const answer = await fetch(`${h.url}/api/v1/meters/${slug}/query`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: accept },
    body: JSON.stringify(query),
  });
  const text = await answer.text();
  return { status: answer.status, text, json: () => JSON.parse(text) };
};
const wholeDay = { from: '2026-11-01T00:00:00Z', to: '2026-11-02T00:00:00Z' };

describe('hourly totals', () => {
  test('the interval is half-open, empty hours are absent, and negative corrections count', async () => {
    const rows = await h.openMeter.queryHourly('tallystick_prompt_tokens', hours(0, 6));
    expect(rows.map((row) => [row.windowStart.getUTCHours(), row.subject, row.model, row.value])).toEqual([
      [0, 'user-1', 'gpt-4o', 100n],
      [0, 'user-1', 'o4-mini', 100n],
      [1, 'user-2', 'gpt-4o', 100n],
      [5, 'user-3', 'gpt-4o', -30n],
    ]);
    expect(await h.openMeter.queryHourly('tallystick_prompt_tokens', hours(1, 2))).toHaveLength(1);
    expect(await h.openMeter.queryHourly('tallystick_prompt_tokens', hours(2, 5))).toEqual([]);
  });

  test('totals of all keys together are one row an hour', async () => {
    const rows = await h.openMeter.queryHourTotals('tallystick_prompt_tokens', hours(0, 6));
    expect(rows.map((row) => [row.windowStart.getUTCHours(), row.value])).toEqual([
      [0, 200n],
      [1, 100n],
      [5, -30n],
    ]);
    const nothing = await h.openMeter.queryHourTotals('tallystick_audio_prompt_tokens', hours(0, 6));
    expect(nothing.filter(({ value }) => value !== 0n)).toEqual([]);
  });

  test('each meter sums its own property', async () => {
    const expected = {
      prompt: 100n,
      cached_prompt: 40n,
      completion: 20n,
      reasoning: 5n,
      total: 120n,
    } as const;
    for (const [name, value] of Object.entries(expected)) {
      const slug = `tallystick_${name}_tokens` as 'tallystick_prompt_tokens';
      expect(await h.openMeter.queryHourly(slug, hours(1, 2)), slug).toMatchObject([{ value }]);
    }
  });

  test('a window that is empty or not on the hour is refused before it is sent', async () => {
    const before = h.requests.length;
    const instant = hours(0, 1).start;
    for (const window of [
      { start: instant, end: instant },
      { start: hours(1, 2).start, end: instant },
      { start: new Date(instant.getTime() + 1), end: hours(0, 1).end },
      { start: instant, end: new Date(Number.NaN) },
    ]) {
      await expect(h.openMeter.queryHourly('tallystick_requests', window)).rejects.toMatchObject({
        code: 'VALIDATION',
      });
    }
    expect(h.requests).toHaveLength(before);
  });

  test.each([
    ['beyond 2^53', { requests: '9007199254740993' }],
    ['a fraction', { requests: '0.5' }],
  ])(
    'a total that is %s is an error that names meter, hour and subject, never rounded',
    async (name, data) => {
      const time = name === 'a fraction' ? '2026-11-03T00:00:00Z' : '2026-11-03T01:00:00Z';
      await h.openMeter.ingestEvents([usageEventBody({ id: name, time, data, subject: 'whale' })]);
      const start = new Date(time);
      await expect(
        h.openMeter.queryHourly('tallystick_requests', { start, end: new Date(start.getTime() + 3_600_000) }),
      ).rejects.toMatchObject({
        code: 'UPSTREAM_REJECTED',
        retry: false,
        context: { meter: 'tallystick_requests', hour: time, subject: 'whale' },
        message: expect.stringContaining('whale'),
      });
    },
  );

  test('a row for an hour that was not asked for is not believed', async () => {
    const row = { value: 1, windowStart: '2026-11-09T00:00:00Z', subject: 'u', groupBy: {} };
    const lying = h.connect({ fetch: async () => Response.json({ data: [row] }) });
    await expect(lying.queryHourly('tallystick_requests', hours(0, 1))).rejects.toMatchObject({
      code: 'UPSTREAM_REJECTED',
    });
  });

  test('a meter that does not exist is told with its fix', async () => {
    const empty = await startHarness();
    await expect(empty.openMeter.queryHourly('tallystick_requests', hours(0, 1))).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      statusCode: 404,
      fix: expect.stringContaining('meter'),
    });
    await empty.close();
  });
});

describe('the stand-in', () => {
  test('sums in float64, ignores what is no number, and knows an absent group-by as the empty string', async () => {
    const time = '2026-11-04T00:00:00Z';
    const values = ['0.1', '0.2', 'NaN', 'inf', '', 'many', '0x10'];
    await h.openMeter.ingestEvents(
      values.map((total_tokens, index) =>
        usageEventBody({ id: `float-${index}`, time, data: { total_tokens, feature: undefined } }),
      ),
    );
    const answer = await post(
      { from: time, to: '2026-11-05T00:00:00Z', groupBy: ['feature'] },
      'tallystick_total_tokens',
    );
    expect(answer.json().data).toEqual([
      {
        value: 0.30000000000000004,
        windowStart: '2026-11-04T00:00:00Z',
        windowEnd: '2026-11-04T00:01:00Z',
        subject: null,
        groupBy: { feature: '' },
      },
    ]);
  });

  test('without a group-by all subjects are one; a subject filter brings its group-by along', async () => {
    expect((await post({ ...wholeDay, windowSize: 'DAY' })).json().data).toEqual([
      {
        value: 270,
        windowStart: '2026-11-01T00:00:00Z',
        windowEnd: '2026-11-02T00:00:00Z',
        subject: null,
        groupBy: {},
      },
    ]);
    expect((await post({ ...wholeDay, subject: ['user-2'] })).json().data).toMatchObject([
      { value: 100, subject: 'user-2' },
    ]);
  });

  test('windows of a minute, a day and a month', async () => {
    const count = async (windowSize: string) =>
      (await post({ ...wholeDay, windowSize }))
        .json()
        .data.map((row: { windowStart: string }) => row.windowStart);
    expect(await count('MINUTE')).toEqual([
      '2026-11-01T00:00:00Z',
      '2026-11-01T00:59:00Z',
      '2026-11-01T01:00:00Z',
      '2026-11-01T05:30:00Z',
    ]);
    expect(await count('DAY')).toEqual(['2026-11-01T00:00:00Z']);
    expect(await count('MONTH')).toEqual(['2026-11-01T00:00:00Z']);
  });

  test('filters by group-by value and by customer', async () => {
    const values = async (query: Query) =>
      (await post({ ...wholeDay, ...query })).json().data.map((row: { value: number }) => row.value);
    expect(await values({ filterGroupBy: { model: ['o4-mini', 'none'] } })).toEqual([100]);
    expect(await values({ advancedMeterGroupByFilters: { model: { $like: 'gpt%' } } })).toEqual([170]);
    expect(
      await values({ advancedMeterGroupByFilters: { model: { $or: [{ $eq: 'x' }, { $ne: 'gpt-4o' }] } } }),
    ).toEqual([100]);
    const page = await readJson<{ items: { id: string }[] }>(await fetch(`${h.url}/api/v1/customers`));
    const customerId = page.items[0]?.id ?? '';
    const grouped = await post({ ...wholeDay, filterCustomerId: [customerId], groupBy: ['customer_id'] });
    expect(grouped.json().data).toMatchObject([{ value: 300, customerId }]);
  });

  test.each<[string, Query]>([
    ['from equal to to', { from: wholeDay.from, to: wholeDay.from }],
    ['from after to', { from: wholeDay.to, to: wholeDay.from }],
    ['an unknown group-by', { ...wholeDay, groupBy: ['colour'] }],
    ['customer_id without its filter', { ...wholeDay, groupBy: ['customer_id'] }],
    ['a filter on an unknown group-by', { ...wholeDay, filterGroupBy: { colour: ['red'] } }],
    [
      'two operators in one filter',
      { ...wholeDay, advancedMeterGroupByFilters: { model: { $eq: 'a', $ne: 'b' } } },
    ],
    ['an unknown window size', { ...wholeDay, windowSize: 'WEEK' }],
    ['a time zone it does not model', { ...wholeDay, windowTimeZone: 'Europe/Berlin' }],
  ])('refuses %s', async (_, query) => {
    expect((await post(query)).status).toBe(400);
  });

  test('answers the GET form, with its repeated parameters', async () => {
    const query = new URLSearchParams([
      ['from', wholeDay.from],
      ['to', '2026-11-01T01:00:00Z'],
      ['windowSize', 'HOUR'],
      ['groupBy', 'subject'],
      ['groupBy', 'model'],
      ['filterGroupBy[model]', 'gpt-4o'],
    ]);
    const answer = await fetch(`${h.url}/api/v1/meters/tallystick_prompt_tokens/query?${query}`);
    expect((await readJson<{ data: unknown[] }>(answer)).data).toMatchObject([
      { value: 100, subject: 'user-1', groupBy: { model: 'gpt-4o' } },
    ]);
  });

  test('answers as CSV, without a word of customers', async () => {
    const query = {
      ...wholeDay,
      to: '2026-11-01T01:00:00Z',
      windowSize: 'HOUR',
      groupBy: ['subject', 'model'],
    };
    const answer = await post(query, 'tallystick_prompt_tokens', 'text/csv');
    expect(answer.text).toBe(
      'window_start,window_end,subject,model,value\n' +
        '2026-11-01T00:00:00Z,2026-11-01T01:00:00Z,user-1,gpt-4o,100.000000\n' +
        '2026-11-01T00:00:00Z,2026-11-01T01:00:00Z,user-1,o4-mini,100.000000\n',
    );
  });

  test.each([
    ['COUNT', 4],
    ['AVG', 67.5],
    ['MIN', -30],
    ['MAX', 100],
    ['LATEST', -30],
    ['UNIQUE_COUNT', 2],
  ])('aggregates %s over events that came before the meter', async (aggregation, value) => {
    const slug = `probe_${aggregation.toLowerCase()}`;
    const meter = { slug, aggregation, eventType: 'tallystick.usage', valueProperty: '$.prompt_tokens' };
    const made = await fetch(`${h.url}/api/v1/meters`, { method: 'POST', body: JSON.stringify(meter) });
    expect(made.status).toBe(200);
    expect((await post(wholeDay, slug)).json().data).toMatchObject([{ value }]);
  });
});
