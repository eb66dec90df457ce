import { expect, test } from 'vitest';
import { planMonths } from '../../sandbox/demo/months/calendar.ts';
import { createScenario } from '../../sandbox/scenario.ts';
import { createMonthEndTraffic } from '../../sandbox/traffic/month-end-traffic.ts';
import { DAY_MS } from '../../src/platform/clock.ts';

const START_MS = Date.UTC(2027, 11, 1);

test('month ends of any seed have usage that misses its invoice', () => {
  const missedCounts = Array.from({ length: 40 }, (_, seed) => {
    const scenario = createScenario({
      ...{ seed, dayCount: 31, customerCount: 1, userCount: 1, startMs: START_MS },
      story: 'month_ends',
    });
    const [endMs = 0] = planMonths(scenario, 1).periodEnds[0] ?? [];
    const late = createMonthEndTraffic(scenario).rowsIngestedBetween(endMs + DAY_MS, endMs + 4 * DAY_MS);
    return late.filter((row) => row.eventMs !== null && row.eventMs < endMs).length;
  });
  expect(missedCounts.filter((count) => count === 0)).toEqual([]);
});
