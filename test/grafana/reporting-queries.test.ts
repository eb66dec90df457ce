import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FindingsBody } from '../../src/anomalies/schemas.ts';
import { timesNeighbours } from '../../src/console/features/neighbours.ts';
import type { CostsBody } from '../../src/costs/routes.ts';
import { insertFindings } from '../anomalies/world.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { askingPanels, DASHBOARDS, type Panel, panelOf, type Range } from './panels.ts';
import { connectReader, HOSTILE, insertDashboardWorld, LOOP_DAY, type Reader } from './reporting-world.ts';

/** The month so far, as Grafana tells a range that ends within a day. */
const NOVEMBER: Range = {
  from: '2026-11-01T00:00:00Z',
  to: '2026-11-21T10:30:00.123Z',
  variables: { customer: 'northwind', threshold: '3', least: '10' },
};
const MONTH = 'from=2026-11-01&to=2026-11-22';
/** Types of Postgres that Grafana knows as what they are: numbers, text, instants. */
const [INT8, TEXT, FLOAT8, TIMESTAMPTZ, NUMERIC] = [20, 25, 701, 1184, 1700];
const NUMBERS = [INT8, FLOAT8, NUMERIC];

let bench: ApiBench;
let reader: Reader;
beforeAll(async () => {
  bench = await createApiBench();
  await insertDashboardWorld(bench.ledger.database);
  reader = await connectReader(bench.ledger.database, bench.ledger.databaseUrl);
});
afterAll(async () => {
  await reader.close();
  await bench.close();
});

const PANELS = DASHBOARDS.flatMap((dashboard) =>
  askingPanels(dashboard)
    .filter(({ targets }) => targets?.some(({ rawSql }) => rawSql !== undefined))
    .map((panel) => ({ name: `${dashboard.uid}: ${panel.title}`, panel })),
);
const sqlOf = ({ targets }: Panel) => targets?.[0]?.rawSql ?? '';

async function rowsOf(uid: string, title: string, range = NOVEMBER) {
  return (await reader.ask(sqlOf(panelOf(uid, title)), range)).rows;
}
async function costs(query: string): Promise<CostsBody> {
  const response = await bench.call(`/v1/costs?${MONTH}${query}`);
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as CostsBody;
}
const number = (value: unknown) => (value === null || value === undefined ? null : Number(value));
const sum = (rows: Record<string, unknown>[], column: string) =>
  rows.reduce((total, row) => total + (number(row[column]) ?? 0), 0);

describe.each(PANELS)('$name', ({ panel }) => {
  it('answers a reader in a shape that its panel shows', async () => {
    const [target] = panel.targets ?? [];
    const { fields, rows } = await reader.ask(sqlOf(panel), NOVEMBER);
    const types = new Map(fields.map(({ name, dataTypeID }) => [name, dataTypeID]));
    expect(types.size).toBe(fields.length);
    if (panel.title !== 'Quarantine now') expect(rows.length).toBeGreaterThan(0);
    if (target?.format === 'time_series') {
      const [time, ...values] = fields;
      expect([time?.name, time?.dataTypeID]).toEqual(['time', TIMESTAMPTZ]);
      for (const { name, dataTypeID } of values)
        expect(name === 'metric' ? [TEXT] : NUMBERS, name).toContain(dataTypeID);
      const instants = rows.map(({ time }) => (time as Date).getTime());
      expect(instants).toEqual(instants.toSorted((one, other) => one - other));
      // Days begin at midnight in UTC, wherever the session is, and a series has one value for each.
      for (const instant of instants) expect(instant % 86_400_000).toBe(0);
      const places = rows.map(({ time, metric }) => `${(time as Date).toISOString()} ${metric}`);
      expect(new Set(places).size).toBe(places.length);
    } else {
      const shown = panel.fieldConfig?.overrides.map(({ matcher }) => matcher.options) ?? [];
      // A column that nobody named, and a name that no column has, would both be shown wrongly without a word.
      expect(shown.toSorted()).toEqual([...types.keys()].toSorted());
      for (const { matcher, properties } of panel.fieldConfig?.overrides ?? []) {
        const unit = properties.find(({ id }) => id === 'unit');
        expect(NUMBERS.includes(types.get(matcher.options) ?? 0), matcher.options).toBe(unit !== undefined);
        if (unit !== undefined) expect(properties.map(({ id }) => id)).toContain('decimals');
      }
    }
    if (panel.type === 'stat') expect(rows).toHaveLength(1);
  });

  it('answers for a range without days, and for names that would like to be SQL', async () => {
    const { variables } = NOVEMBER;
    await reader.ask(sqlOf(panel), {
      from: '2031-01-01T00:00:00Z',
      to: '2031-01-31T23:59:59Z',
      ...(variables && { variables }),
    });
    await reader.ask(sqlOf(panel), { ...NOVEMBER, variables: { ...variables, customer: HOSTILE } });
  });
});

it('what variables find are names that are told apart, and ids', async () => {
  for (const { templating } of DASHBOARDS) {
    for (const { type, query } of templating.list) {
      if (type !== 'query') continue;
      const { rows } = await reader.ask(String(query), NOVEMBER);
      expect(new Set(rows.map(({ __text }) => __text)).size).toBe(4);
      expect(rows.map(({ __value }) => __value).sort()).toEqual(
        ['adatum', 'northwind', HOSTILE, 'silent'].sort(),
      );
    }
  }
});

describe('customers', () => {
  const UID = 'tallystick-customers';

  it('sum up to what the API says', async () => {
    const { totals } = await costs('');
    const [figures] = await rowsOf(UID, 'All customers');
    expect(figures).toMatchObject({
      token_count: totals.tokenCount,
      request_count: totals.requestCount,
      active_user_count: totals.activeUserCount,
      unpriced_token_count: totals.unpricedTokenCount,
      unattributed_token_count: totals.unattributedTokenCount,
    });
    expect(number(figures?.cost_usd)).toBe(Number(totals.knownCost));
    expect(number(figures?.overhead_usd)).toBe(Number(totals.overhead));
    expect(Number(totals.overhead)).toBeGreaterThan(0);
    const days = await rowsOf(UID, 'Cost by day');
    expect(sum(days, 'cost_usd')).toBeCloseTo(Number(totals.knownCost) + Number(totals.overhead), 9);
    expect(new Set(days.map(({ metric }) => metric))).toEqual(
      new Set(['NORTHWIND (northwind)', `NORTHWIND (${HOSTILE})`, 'ADATUM', '(nobody)', '(idle capacity)']),
    );
  });

  it('are ranked by cost, with the revenue, shares and margin of the API', async () => {
    const { rows, totals } = await costs('&groupBy=customer&sort=-cost');
    const table = await rowsOf(UID, 'Customers');
    const expected = rows.filter(({ customerId }) => customerId);
    expect(table.map(({ customer_id }) => customer_id)).toEqual(expected.map(({ customerId }) => customerId));
    expect(table.map(({ rank }) => Number(rank))).toEqual(table.map((_, index) => index + 1));
    const tokens = sum(expected as unknown as Record<string, unknown>[], 'tokenCount');
    for (const [index, row] of table.entries()) {
      const api = expected[index];
      expect(number(row.cost_usd)).toBe(Number(api?.knownCost));
      expect(number(row.token_share)).toBeCloseTo(Number(api?.tokenCount) / tokens, 9);
      expect(row.unpriced_token_count).toBe(api?.unpricedTokenCount);
      const isRated = api?.revenue.some(({ unratedTokenCount }) => unratedTokenCount === '0');
      if (!isRated) continue;
      expect(number(row.revenue_usd)).toBeCloseTo(Number(api?.revenueUsd), 9);
      expect(number(row.revenue_share)).toBeCloseTo(Number(api?.revenueUsd) / Number(totals.revenueUsd), 9);
      if (api?.marginUsd === null) continue;
      expect(number(row.margin_share)).toBeCloseTo(Number(api?.marginUsd) / Number(api?.revenueUsd), 6);
    }
    expect(table.some(({ margin_share }) => margin_share !== null)).toBe(true);
  });

  it('have a trend of seven days, a change against the seven before, and their features by cost', async () => {
    const range = { ...NOVEMBER, from: `${LOOP_DAY}T00:00:00Z`, to: `${LOOP_DAY}T23:59:59.999Z` };
    const [northwind] = await rowsOf(UID, 'Customers', range);
    // Wednesday to Tuesday: nothing was used but on the last day.
    expect(northwind).toMatchObject({ customer_id: 'northwind', trend: '······█', features: 'search 100 %' });
    expect(number(northwind?.last_day_usd)).toBe(number(northwind?.cost_usd));
    const before = await bench.call('/v1/costs?from=2026-11-04&to=2026-11-11&customerId=northwind');
    const { knownCost } = ((await before.json()) as CostsBody).totals;
    expect(number(northwind?.week_change)).toBeCloseTo(100 / Number(knownCost) - 1, 9);
  });

  it('one of them, by day, feature, model, deployment and user, is always the same sum', async () => {
    const { totals } = await costs('&customerId=northwind');
    const known = Number(totals.knownCost);
    expect(known).toBeGreaterThan(100);
    const days = await rowsOf(UID, 'Cost and revenue by day');
    expect(sum(days, 'Cost')).toBeCloseTo(known, 9);
    expect(sum(days, 'Revenue')).toBeCloseTo(Number(totals.revenueUsd), 9);
    for (const title of ['By feature', 'By model', 'By deployment', 'Users']) {
      const rows = await rowsOf(UID, title);
      expect(sum(rows, 'cost_usd'), title).toBeCloseTo(known, 9);
      expect(sum(rows, 'token_count'), title).toBe(Number(totals.tokenCount));
      expect(sum(rows, 'request_count'), title).toBe(Number(totals.requestCount));
    }
  });
});

describe('features', () => {
  const UID = 'tallystick-features';

  it('have the cost, the users and the neighbours that API and console give them', async () => {
    const { rows: api, totals } = await costs('&groupBy=feature&sort=-cost');
    const rows = await rowsOf(UID, 'Features');
    expect(new Set(rows.map(({ feature_name }) => feature_name))).toEqual(
      new Set(api.map(({ feature }) => feature)),
    );
    const inputs = rows.map((row) => ({
      picoUsd:
        Number(row.unpriced_token_count) > 0.05 * Number(row.token_count)
          ? 0n
          : BigInt(Math.round(Number(row.cost_usd) * 1e12)),
      requestCount: BigInt(String(row.request_count)),
    }));
    for (const [index, row] of rows.entries()) {
      const expected = api.find(({ feature }) => feature === row.feature_name);
      expect(number(row.cost_usd)).toBe(Number(expected?.knownCost));
      expect(row.request_count).toBe(expected?.requestCount);
      expect(Number(row.active_user_count ?? 0)).toBe(Number(expected?.activeUserCount));
      const times = timesNeighbours(inputs, index);
      if (times === null) expect(row.times_neighbours).toBe(null);
      else expect(number(row.times_neighbours)).toBeCloseTo(times, 6);
    }
    expect(rows.some(({ times_neighbours }) => times_neighbours !== null)).toBe(true);
    for (const title of ['Cost by day and feature', 'Features by model', 'All features']) {
      expect(sum(await rowsOf(UID, title), 'cost_usd'), title).toBeCloseTo(Number(totals.knownCost), 9);
    }
  });

  it('spread their cost over users as the percentiles of their own costs', async () => {
    const { rows: users } = await costs('&groupBy=user&feature=chat');
    const own = users
      .filter(({ user, tokenCount }) => user !== 'stray' && tokenCount !== '0')
      .map(({ knownCost }) => Number(knownCost))
      .sort((one, other) => one - other);
    expect(own).toHaveLength(3);
    const chat = (await rowsOf(UID, 'Features')).find(({ feature }) => feature === 'chat');
    expect(number(chat?.median_user_usd)).toBeCloseTo(own[1] ?? 0, 9);
    expect(number(chat?.dear_user_usd)).toBeCloseTo((own[1] ?? 0) * 0.2 + (own[2] ?? 0) * 0.8, 9);
  });
});

describe('days that stand out', () => {
  const UID = 'tallystick-anomalies';

  it('begin with what the engine found, and both its scores, as the API tells them', async () => {
    await insertFindings(bench.ledger.database, [{ raised: false }, { raised: true, customerId: 'adatum' }]);
    const rows = await rowsOf(UID, 'What stands out');
    const { anomalies } = (await (await bench.call('/v1/anomalies')).json()) as FindingsBody;
    expect(rows.map(({ anomaly_id: id, standing }) => [id, standing])).toEqual([
      [anomalies[0]?.id, 'needs somebody'],
      [anomalies[1]?.id, 'highlighted'],
    ]);
    const [told] = anomalies;
    expect(number(rows[0]?.excess_usd)).toBeCloseTo(Number(told?.excess), 9);
    expect(number(rows[0]?.day_ahead_usd)).toBeCloseTo(Number(told?.dayAhead), 9);
    expect([number(rows[0]?.score), number(rows[0]?.sigma_score)]).toEqual([
      Number(told?.score),
      Number(told?.sigmaScore),
    ]);
    expect(rows[0]).toMatchObject({ what: 'loop', user_id: 'user-1', customer_id: 'adatum' });
  });

  it('are found by the rule that the page tells', async () => {
    const rows = await rowsOf(UID, 'Days that stand out');
    expect(rows.map(({ day, customer_id }) => [day, customer_id])).toEqual([[LOOP_DAY, 'northwind']]);
    const [loop] = rows;
    // A Tuesday costs 400,000 tokens at 2.50 USD the million; the spread is a quarter of the median day, by the API's days.
    expect(number(loop?.typical_usd)).toBeCloseTo(1, 9);
    expect(number(loop?.cost_usd)).toBeCloseTo(100, 9);
    expect(loop).toMatchObject({ feature: 'search' });
    const response = await bench.call(
      '/v1/costs?from=2026-09-06&to=2026-11-22&groupBy=day&customerId=northwind',
    );
    const days = ((await response.json()) as CostsBody).rows
      .map(({ knownCost }) => Number(knownCost))
      .sort((one, other) => one - other);
    const [lower = 0, upper = 0] = [days[Math.ceil(days.length / 2) - 1], days[Math.floor(days.length / 2)]];
    expect(number(loop?.score)).toBeCloseTo(99 / (0.25 * ((lower + upper) / 2)), 6);
    const [figures] = await rowsOf(UID, 'In this range');
    expect(figures).toMatchObject({ day_count: '1', customer_count: '1' });
    expect(number(figures?.extra_usd)).toBeCloseTo(99, 9);
    expect(sum(await rowsOf(UID, 'Above what is typical, by day'), 'cost_usd')).toBeCloseTo(99, 9);
  });

  it('are as many as the two settings let be', async () => {
    const found = (variables: Record<string, string>) =>
      rowsOf(UID, 'Days that stand out', { ...NOVEMBER, variables: { ...NOVEMBER.variables, ...variables } });
    expect(await found({ least: '99.5' })).toEqual([]);
    expect(await found({ threshold: '100000' })).toEqual([]);
    expect((await found({ threshold: '-1000', least: '-1000' })).length).toBeGreaterThan(1);
  });

  it('leave out days that have fewer than three weeks to be held against', async () => {
    const rows = await rowsOf(UID, 'Cost against the same weekday');
    expect(rows.map(({ time }) => (time as Date).toISOString().slice(0, 10))).toContain(LOOP_DAY);
    const early = await rowsOf(UID, 'Cost against the same weekday', {
      ...NOVEMBER,
      from: '2026-09-20T00:00:00Z',
      to: '2026-10-08T00:00:00Z',
    });
    expect(early).toEqual([]);
  });
});
