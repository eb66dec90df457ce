import { rmSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { PassedCalls } from '../../sandbox/gateway/passed-calls.ts';
import { createScenario, type ScenarioOptions } from '../../sandbox/scenario.ts';
import { wantedExperiments } from '../../sandbox/traffic/experiments.ts';
import { createTraffic } from '../../sandbox/traffic/traffic.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { makeTemporaryDirectory } from '../setup/data-directory.ts';

const stateDirectory = makeTemporaryDirectory('gateway');
afterAll(() => rmSync(stateDirectory, { recursive: true, force: true }));

const startMs = Date.UTC(2026, 8, 28);
const endMs = startMs + 4 * DAY_MS;
const OPTIONS: ScenarioOptions = {
  seed: 5,
  dayCount: 4,
  customerCount: 3,
  userCount: 6,
  startMs,
  experiments: true,
};
const TENANT = 'internal-experimentation';

it('wants the same calls however time is divided', () => {
  const whole = wantedExperiments(OPTIONS, startMs, endMs);
  const byTicks = Array.from({ length: 16 }, (_, tick) =>
    wantedExperiments(OPTIONS, startMs + tick * 6 * HOUR_MS, startMs + (tick + 1) * 6 * HOUR_MS),
  ).flat();
  expect(byTicks).toEqual(whole);
  expect(whole.flatMap(({ calls }) => calls)).toHaveLength(3 * 48 + 24 * 25 + 48);
});

it('puts at the source what passed and nothing else, once, and again at the next start', () => {
  const clock = new VirtualClock(startMs);
  const open = () => {
    const traffic = createTraffic(createScenario(OPTIONS));
    return { traffic, passedCalls: new PassedCalls({ clock, stateDirectory }, OPTIONS, traffic) };
  };
  const first = open();
  const { experiments: _, ...without } = OPTIONS;
  const others = createTraffic(createScenario(without)).tokenTotalByTenant();
  // Nothing is drawn for those who pass the gateway, and nobody else's traffic is another for them.
  expect(first.traffic.tokenTotalByTenant()).toEqual(others);

  const [minute, next] = wantedExperiments(OPTIONS, startMs, endMs);
  if (minute === undefined || next === undefined) throw new Error('nothing is wanted');
  const caller = { tenantKey: TENANT, subject: 'researcher-1', feature: 'experiments' };
  const passed = [{ ...minute, ...caller, model: 'gpt-4o', deployment: 'gpt-4o-global' }];
  const turn = { untilMs: startMs + DAY_MS, passed, stoppedCallCount: next.calls.length };
  first.passedCalls.record(turn);
  first.passedCalls.record(turn);
  const tokens = minute.calls.reduce((sum, call) => sum + call.promptTokens + call.completionTokens, 0);
  const totals = {
    untilMs: turn.untilMs,
    passedCallCount: 8,
    stoppedCallCount: 8,
    tokenCount: String(tokens),
  };
  expect(first.passedCalls.totals()).toEqual(totals);
  const rowsOf = ({ traffic }: typeof first) =>
    traffic.rowsIngestedBetween(startMs, endMs).filter(({ properties }) => properties.tenantId === TENANT);
  const rows = rowsOf(first);
  expect(rows.map(({ metricName, itemCount }) => [metricName, itemCount])).toEqual([
    ['Prompt Tokens', 8],
    ['Completion Tokens', 8],
    ['Total Tokens', 8],
  ]);
  expect(first.traffic.tokenTotalByTenant()).toEqual(new Map([...others, [TENANT, BigInt(tokens)]]));
  first.passedCalls.close();

  const second = open();
  expect(second.passedCalls.totals()).toEqual(totals);
  expect(rowsOf(second)).toEqual(rows);
  second.passedCalls.close();
});
