import { describe, expect, test } from 'vitest';
import { createScenario, type Scenario } from '../../sandbox/scenario.ts';
import { createTraffic } from '../../sandbox/traffic/traffic.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { allRows, makeRow, START_MS } from './support.ts';

describe('any traffic', () => {
  const small = (changes: Partial<Scenario['options']> = {}) =>
    createScenario({ seed: 3, dayCount: 9, customerCount: 5, userCount: 12, startMs: START_MS, ...changes });

  test('is the same whatever order it is asked in, and whatever the windows', () => {
    const forward = allRows(createTraffic(small()));
    const wide = allRows(createTraffic(small()), 5 * DAY_MS);
    const narrow = createTraffic(small());
    const starts: number[] = [];
    for (let ms = START_MS; ms <= narrow.lastIngestionMs; ms += 7 * HOUR_MS) starts.push(ms);
    const backward = starts
      .toReversed()
      .map((ms) => narrow.rowsIngestedBetween(ms, ms + 7 * HOUR_MS))
      .toReversed()
      .flat();
    expect(wide).toEqual(forward);
    expect(backward).toEqual(forward);
  });

  test('is pinned for a seed: the same rows on every machine', () => {
    const rows = allRows(createTraffic(small()));
    expect([rows.length, createTraffic(small()).tokenTotal(), rows[0]]).toMatchInlineSnapshot(`
      [
        12481,
        122819310n,
        {
          "eventMs": 1790835960000,
          "ingestedMs": 1790836092971,
          "ingestedTicks": 6816,
          "itemCount": 4,
          "itemId": "96779619-d761-4363-879a-08a0e96a5c7c",
          "max": 31881,
          "metricName": "Prompt Tokens",
          "min": 13605,
          "properties": {
            "Region": "West Europe",
            "Service ID": "apim-sandbox",
            "Service Name": "apim-sandbox.azure-api.net",
            "_MS.MetricNamespace": "openai",
            "deployment": "gpt-4o-mini-global",
            "featureArea": "page-assist",
            "model": "gpt-4o-mini",
            "tenantId": "northwind",
            "userId": "user-00006",
          },
          "sum": 84928,
        },
      ]
    `);
  });

  test('differs between seeds', () => {
    expect(createTraffic(small()).tokenTotal()).not.toBe(createTraffic(small({ seed: 4 })).tokenTotal());
  });

  test('grows with its multiplier, rows and tokens alike', () => {
    const traffic = createTraffic(small(), { rowMultiplier: 10 });
    expect(allRows(traffic).length / allRows(createTraffic(small())).length).toBeGreaterThan(8);
    const ratio = Number(traffic.tokenTotal()) / Number(createTraffic(small()).tokenTotal());
    expect(ratio).toBeGreaterThan(8);
    expect(ratio).toBeLessThan(12);
    expect(() => createTraffic(small(), { rowMultiplier: 0 })).toThrow(RangeError);
  });

  test.each([
    { customerCount: 1, userCount: 1, dayCount: 1 },
    { customerCount: 3, userCount: 2, dayCount: 2 },
    { customerCount: 20, userCount: 20, dayCount: 3 },
  ])('works for odd sizes: %o', (changes) => {
    const traffic = createTraffic(small(changes));
    const tokens = allRows(traffic)
      .filter((row) => row.metricName === 'Prompt Tokens' || row.metricName === 'Completion Tokens')
      .reduce((sum, row) => sum + BigInt(row.sum ?? 0), 0n);
    expect(tokens).toBe(traffic.tokenTotal());
    expect(tokens).toBeGreaterThan(0n);
  });

  test('takes injected rows: they appear at their instant, and sound ones count once', () => {
    const traffic = createTraffic(small());
    const before = traffic.tokenTotal();
    const lateMs = START_MS + 30 * DAY_MS;
    const properties = { tenantId: 'injected' };
    traffic.inject([
      makeRow({ itemId: 'a', sum: 40, properties }),
      makeRow({ itemId: 'a', sum: 40, properties, ingestedMs: lateMs }),
      makeRow({ itemId: 'b', sum: 2, metricName: 'Completion Tokens', properties }),
      makeRow({ itemId: 'c', sum: 42, metricName: 'Total Tokens', properties }),
      makeRow({ itemId: 'd', sum: -5, properties }),
      makeRow({ itemId: 'e', sum: 'NaN', properties }),
      makeRow({ itemId: 'f', sum: 1.5, properties }),
    ]);
    expect(traffic.tokenTotal() - before).toBe(42n);
    expect(traffic.tokenTotalByTenant().get('injected')).toBe(42n);
    expect(traffic.rowsIngestedBetween(lateMs, lateMs + 1).map((row) => row.itemId)).toEqual(['a']);
    expect(traffic.rowsIngestedBetween(lateMs - 1, lateMs)).toEqual([]);
    expect(traffic.lastIngestionMs).toBe(lateMs);
  });
});
