import { describe, expect, test } from 'vitest';
import { createScenario } from '../../sandbox/scenario.ts';
import { FEATURES } from '../../sandbox/traffic/features.ts';
import type { TrafficRow } from '../../sandbox/traffic/row.ts';
import { chooseIntegration, chooseLoopDay } from '../../sandbox/traffic/stories.ts';
import { createTraffic } from '../../sandbox/traffic/traffic.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { allRows, START_MS } from './support.ts';

const SEEDS = [1, 7, 42];

/** USD per million tokens [prompt, cached prompt, completion], Azure list prices; for the stories' proportions only. */
const LIST_PRICES: Record<string, [number, number, number]> = {
  'gpt-4o': [2.5, 1.25, 10],
  'gpt-4o-mini': [0.165, 0.083, 0.66],
  'o4-mini': [1.1, 0.275, 4.4],
  'text-embedding-3-large': [0.13, 0.13, 0],
};

const demo = (seed: number) =>
  createScenario({ seed, dayCount: 35, customerCount: 12, userCount: 60, startMs: START_MS });

/** Money of a row at the given prices; cached tokens are taken out of the prompt they are part of. */
function priceRow(row: TrafficRow, prices: readonly [number, number, number]): number {
  const tokens = Number(row.sum);
  if (row.metricName === 'Prompt Tokens') return tokens * prices[0];
  if (row.metricName === 'Prompt Cached Tokens') return tokens * (prices[1] - prices[0]);
  return row.metricName === 'Completion Tokens' ? tokens * prices[2] : 0;
}

function sumBy(rows: TrafficRow[], key: (row: TrafficRow) => string, value: (row: TrafficRow) => number) {
  const sums = new Map<string, number>();
  for (const row of rows) sums.set(key(row), (sums.get(key(row)) ?? 0) + value(row));
  return sums;
}

const listCost = (row: TrafficRow) =>
  priceRow(row, LIST_PRICES[row.properties.model ?? ''] ?? [0, 0, 0]) / 1e6;

describe.each(SEEDS)('the demo traffic of seed %i', (seed) => {
  const scenario = demo(seed);
  const traffic = createTraffic(scenario);
  const rows = allRows(traffic);
  const first = scenario.customers[0]?.tenantKey ?? '';

  test('has the volume of a small month', () => {
    const groups = new Set(
      rows.map(({ properties: p, eventMs }) => [p.userId, eventMs, p.featureArea, p.model].join()),
    );
    const combinations = new Set(
      rows
        .filter(({ sum }) => sum !== 0)
        .map(({ properties: p, eventMs, metricName }) =>
          [p.tenantId, p.model, Math.floor(Number(eventMs) / HOUR_MS), metricName].join(),
        ),
    );
    expect(rows.length).toBeGreaterThan(85_000);
    expect(rows.length).toBeLessThan(115_000);
    expect(groups.size).toBeGreaterThan(22_000);
    expect(groups.size).toBeLessThan(32_000);
    expect(combinations.size).toBeLessThan(15_000);
  });

  test('counts its tokens without its rows, and both agree, per tenant too', () => {
    const tokens = sumBy(
      rows,
      (row) => row.properties.tenantId ?? '',
      (row) =>
        row.metricName === 'Prompt Tokens' || row.metricName === 'Completion Tokens' ? Number(row.sum) : 0,
    );
    const byTenant = traffic.tokenTotalByTenant();
    expect(new Map([...byTenant].map(([tenant, count]) => [tenant, Number(count)]))).toEqual(tokens);
    expect(traffic.tokenTotal()).toBe([...byTenant.values()].reduce((sum, count) => sum + count, 0n));
  });

  test('holds sound rows only: unique ids, whole sums, parts no larger than their wholes', () => {
    expect(new Set(rows.map((row) => row.itemId)).size).toBe(rows.length);
    const series = new Map<string, Record<string, number>>();
    for (const row of rows) {
      expect(row.itemId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      const { sum, itemCount, min, max, eventMs } = row;
      if (typeof sum !== 'number' || typeof itemCount !== 'number' || eventMs === null)
        throw new Error('not sound');
      expect(Number.isSafeInteger(sum) && sum >= 0 && min > 0 === sum > 0 && min <= max && max <= sum).toBe(
        true,
      );
      expect(sum >= min * itemCount && sum <= max * itemCount).toBe(true);
      expect(eventMs % MINUTE_MS).toBe(0);
      const { userId, featureArea, model } = row.properties;
      const key = [userId, featureArea, model, eventMs].join();
      const sums = series.get(key) ?? {};
      sums[row.metricName] = (sums[row.metricName] ?? 0) + sum;
      series.set(key, sums);
    }
    for (const sums of series.values()) {
      const prompt = sums['Prompt Tokens'] ?? 0;
      const completion = sums['Completion Tokens'] ?? 0;
      expect(sums['Total Tokens']).toBe(prompt + completion);
      expect(sums['Prompt Cached Tokens'] ?? 0).toBeLessThanOrEqual(prompt);
      expect(sums['Completion Reasoning Tokens'] ?? 0).toBeLessThanOrEqual(completion);
    }
  });

  test('arrives within minutes, one row in a hundred within hours', () => {
    const delays = rows.map((row) => row.ingestedMs - Number(row.eventMs) - MINUTE_MS);
    const late = delays.filter((delayMs) => delayMs >= 10 * MINUTE_MS);
    expect(Math.min(...delays.slice(0, 50_000))).toBeGreaterThanOrEqual(30_000);
    expect(late.length / rows.length).toBeGreaterThan(0.005);
    expect(late.length / rows.length).toBeLessThan(0.02);
    expect(late.reduce((most, delayMs) => Math.max(most, delayMs), 0)).toBeLessThan(20 * HOUR_MS + MINUTE_MS);
    expect(rows.reduce((last, row) => Math.max(last, row.ingestedMs), 0)).toBe(traffic.lastIngestionMs);
  });

  test('keeps office hours: quiet nights, quieter weekends', () => {
    const loop = chooseLoopDay(scenario);
    const usual = rows.filter((row) => Math.floor((Number(row.eventMs) - START_MS) / DAY_MS) !== loop);
    const byHour = sumBy(
      usual,
      (row) => String(new Date(Number(row.eventMs)).getUTCHours()),
      () => 1,
    );
    expect((byHour.get('10') ?? 0) / (byHour.get('3') ?? 1)).toBeGreaterThan(10);
    const byDay = sumBy(
      usual,
      (row) => String(new Date(Number(row.eventMs)).getUTCDay()),
      () => 1,
    );
    expect((byDay.get('6') ?? 0) + (byDay.get('0') ?? 0)).toBeLessThan(byDay.get('3') ?? 0);
  });

  test('story: the first tenant has 38 % of the tokens and about 4 % of the revenue', () => {
    const byTenant = traffic.tokenTotalByTenant();
    const share = Number(byTenant.get(first)) / Number(traffic.tokenTotal());
    expect(share).toBeGreaterThan(0.355);
    expect(share).toBeLessThan(0.405);
    const sellPrices = new Map(
      scenario.models.map(({ model, sellPriceCents: cents }) => [
        model,
        [
          Number(cents.prompt),
          Number(cents.prompt_cached ?? cents.prompt),
          Number(cents.completion ?? 0),
        ] as const,
      ]),
    );
    const revenue = sumBy(
      rows,
      (row) => row.properties.tenantId ?? '',
      (row) => priceRow(row, sellPrices.get(row.properties.model ?? '') ?? [0, 0, 0]),
    );
    const revenueTotal = [...revenue.values()].reduce((sum, amount) => sum + amount, 0);
    expect((revenue.get(first) ?? 0) / revenueTotal).toBeGreaterThan(0.03);
    expect((revenue.get(first) ?? 0) / revenueTotal).toBeLessThan(0.055);
  });

  test('story: thread-summary on gpt-4o costs about twelve times its neighbours', () => {
    const cost = sumBy(rows, (row) => row.properties.featureArea ?? '', listCost);
    const summary = cost.get(FEATURES.threadSummary.feature) ?? 0;
    const neighbours = [FEATURES.mailDraft, FEATURES.meetingNotes, FEATURES.codeReview].map(
      ({ feature }) => cost.get(feature) ?? 0,
    );
    for (const neighbour of neighbours) {
      expect(summary / neighbour).toBeGreaterThan(9.5);
      expect(summary / neighbour).toBeLessThan(15);
    }
    expect(Math.max(...[...cost.values()].filter((amount) => amount !== summary)) * 9).toBeLessThan(summary);
    expect(
      new Set(
        rows
          .filter((row) => row.properties.featureArea === 'thread-summary')
          .map((row) => row.properties.model),
      ),
    ).toEqual(new Set(['gpt-4o']));
  });

  test('story: one integration loops for one weekday, far outside its tenant’s usual cost', () => {
    const looping = rows.filter((row) => row.properties.userId === chooseIntegration(scenario));
    const tenant = looping[0]?.properties.tenantId;
    const daily = sumBy(
      rows.filter((row) => row.properties.tenantId === tenant),
      (row) => String(Math.floor((Number(row.eventMs) - START_MS) / DAY_MS)),
      listCost,
    );
    const loopDay = String(chooseLoopDay(scenario));
    const others = [...daily].filter(([day]) => day !== loopDay).map(([, amount]) => amount);
    const mean = others.reduce((sum, amount) => sum + amount, 0) / others.length;
    const deviation = Math.sqrt(
      others.reduce((sum, amount) => sum + (amount - mean) ** 2, 0) / others.length,
    );
    expect((daily.get(loopDay) ?? 0) - mean).toBeGreaterThan(4 * deviation);
    const minutes = new Set(
      looping
        .filter((row) => Math.floor((Number(row.eventMs) - START_MS) / DAY_MS) === Number(loopDay))
        .map((row) => row.eventMs),
    );
    expect(minutes.size).toBe(1_440);
  });

  test('story: somebody nobody knows, and a model nobody has priced, used by a customer we know', () => {
    const unmapped = rows.filter((row) => row.properties.userId === scenario.unmappedSubject);
    expect(unmapped.length).toBeGreaterThan(50);
    expect(unmapped.length).toBeLessThan(rows.length / 50);
    expect(new Set(unmapped.map((row) => row.properties.tenantId))).toEqual(
      new Set([scenario.unmappedTenantKey]),
    );
    const unpriced = rows.filter((row) => row.properties.model === scenario.unknownModel);
    expect(unpriced.length).toBeGreaterThan(10);
    expect(unpriced.length).toBeLessThan(rows.length / 100);
    const known = scenario.customers.map(({ tenantKey }) => tenantKey);
    expect(new Set(unpriced.map((row) => row.properties.tenantId)).size).toBe(1);
    expect(known).toContain(unpriced[0]?.properties.tenantId);
  });
});
