import { describe, expect, test } from 'vitest';
import { playDay } from '../../sandbox/traffic/day.ts';
import { createRequestLog } from '../../sandbox/traffic/request-log.ts';
import type { RequestSink } from '../../sandbox/traffic/requests.ts';
import type { TrafficRow } from '../../sandbox/traffic/row.ts';
import { createCallers } from '../../sandbox/traffic/stories.ts';
import { createTraffic } from '../../sandbox/traffic/traffic.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { allRows, START_MS, smallScenario } from './support.ts';

const END_MS = START_MS + 4 * DAY_MS;
const sum = (counts: Iterable<number | bigint>) =>
  Number([...counts].reduce<bigint>((total, count) => total + BigInt(count), 0n));

describe('the requests behind the traffic', () => {
  test('are the same in whatever windows they are asked for, and change no metric row', () => {
    const whole = createRequestLog(smallScenario());
    const parts = createRequestLog(smallScenario());
    const llm = [];
    const gateway = [];
    for (let ms = END_MS - 7 * HOUR_MS; ms > START_MS - 7 * HOUR_MS; ms -= 7 * HOUR_MS) {
      llm.push(...parts.llmRowsIngestedBetween(ms, ms + 7 * HOUR_MS));
      gateway.push(...parts.gatewayRowsIngestedBetween(ms, ms + 7 * HOUR_MS));
    }
    const byId = (left: { correlationId: string }, right: { correlationId: string }) =>
      left.correlationId < right.correlationId ? -1 : 1;
    expect(gateway.sort(byId)).toEqual(whole.gatewayRowsIngestedBetween(START_MS, END_MS).sort(byId));
    expect(new Set(llm.map((row) => row.itemId))).toEqual(
      new Set(whole.llmRowsIngestedBetween(START_MS, END_MS).map((row) => row.itemId)),
    );
    expect(new Set(llm.map((row) => row.itemId)).size).toBe(llm.length);
    const play = (requests?: RequestSink) => {
      const rows: TrafficRow[] = [];
      const scenario = smallScenario();
      const day = { scenario, callers: createCallers(scenario), dayIndex: 0, rowMultiplier: 1 };
      playDay({ ...day, onRow: (row) => rows.push(row), ...(requests === undefined ? {} : { requests }) });
      return rows;
    };
    expect(play({ llm: () => {}, gateway: () => {} })).toEqual(play());
    expect(whole.lastIngestionMs).toBeLessThan(START_MS + 3 * DAY_MS);
  });

  test.each([1, 7])('are what the metric rows of world %i add up', (seed) => {
    const scenario = smallScenario(seed);
    const log = createRequestLog(scenario);
    const llm = log.llmRowsIngestedBetween(START_MS, END_MS).filter((row) => row.sequenceNumber === 0);
    const logged = new Map<string, number>();
    // Streams differ by nature; what is no stream is exact in both, but for what one of them lost.
    for (const row of llm) {
      if (row.isStream || row.promptTokens === 0) continue;
      const minute = Math.floor(row.eventMs / MINUTE_MS) * MINUTE_MS;
      const key = `${minute} ${row.deploymentName}`;
      logged.set(key, (logged.get(key) ?? 0) + (row.promptTokens ?? 0));
    }
    const metric = new Map<string, number>();
    for (const row of allRows(createTraffic(scenario))) {
      if (row.metricName !== 'Prompt Tokens' || row.properties.deployment !== 'embeddings') continue;
      const key = `${row.eventMs} ${row.properties.deployment}`;
      metric.set(key, (metric.get(key) ?? 0) + Number(row.sum));
    }
    const equal = [...metric].filter(([key, tokens]) => logged.get(key) === tokens);
    expect(metric.size).toBeGreaterThan(10);
    expect(equal.length / metric.size).toBeGreaterThan(0.9);
    const total = sum(log.tokenTotalByTenant().values());
    const ratio = total / Number(createTraffic(scenario).tokenTotal());
    expect(ratio).toBeGreaterThan(0.93);
    expect(ratio).toBeLessThan(1.02);
  });

  test('tell every story of a log', () => {
    const log = createRequestLog(smallScenario(2, 5));
    const llm = log.llmRowsIngestedBetween(START_MS, START_MS + 9 * DAY_MS);
    const gateway = log.gatewayRowsIngestedBetween(START_MS, START_MS + 9 * DAY_MS);
    const logged = new Set(llm.map((row) => row.correlationId));
    const joined = new Set(gateway.map((row) => row.correlationId));
    const stories = {
      silentStreams: llm.filter((row) => row.isStream && row.totalTokens === 0).length,
      exactStreams: llm.filter((row) => row.isStream && row.totalTokens !== 0).length,
      repeated: llm.filter((row) => row.sequenceNumber === 1).length,
      refused: gateway.filter((row) => row.responseCode === 429).length,
      lostInLlmLog: [...joined].filter((id) => !logged.has(id)).length,
      lostInGatewayLog: [...logged].filter((id) => !joined.has(id)).length,
      untraced: gateway.filter((row) => !row.traceRecords.some(({ source }) => source === 'tallystick'))
        .length,
      lateGateway: gateway.filter((row) => row.ingestedMs - row.eventMs > HOUR_MS).length,
    };
    for (const [story, count] of Object.entries(stories)) expect(count, story).toBeGreaterThan(0);
  });
});
