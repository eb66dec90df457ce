import { randomUUID } from 'node:crypto';
import { METRIC_NAMES, type TrafficRow } from '../../sandbox/traffic/row.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { START_MS } from './pipeline.ts';

/** One metric row, sound unless changed: 100 prompt tokens of the first customer's first user. */
export function makeRow(changes: Partial<TrafficRow> = {}): TrafficRow {
  const eventMs = changes.eventMs === undefined ? START_MS + 60_000 : changes.eventMs;
  return {
    itemId: randomUUID(),
    eventMs,
    ingestedMs: (eventMs ?? START_MS) + 120_000,
    ingestedTicks: 0,
    metricName: METRIC_NAMES.prompt,
    sum: 100,
    itemCount: 1,
    min: 1,
    max: 100,
    properties: dimensions(),
    ...changes,
  };
}

/** The dimensions of a sound row, with what a test wants to be different; undefined takes one away. */
export function dimensions(changes: Record<string, string | undefined> = {}): Record<string, string> {
  const whole: Record<string, string | undefined> = {
    userId: 'user-00001',
    tenantId: 'northwind',
    featureArea: 'chat',
    model: 'gpt-4o',
    deployment: 'gpt-4o-global',
    ...changes,
  };
  return Object.fromEntries(
    Object.entries(whole).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** What the gateway emits for one request: a row for each metric, all of one minute. */
export function makeCall(call: {
  hour?: number;
  minute?: number;
  /** Hours after the start at which the rows become visible; two minutes after the call by default. */
  ingestedAtHour?: number;
  prompt?: number;
  cachedPrompt?: number;
  completion?: number;
  dimensions?: Record<string, string | undefined>;
}): TrafficRow[] {
  const { prompt = 100, cachedPrompt = 0, completion = 20 } = call;
  const eventMs = START_MS + (call.hour ?? 0) * HOUR_MS + (call.minute ?? 1) * 60_000;
  const ingestedMs =
    call.ingestedAtHour === undefined ? eventMs + 120_000 : START_MS + call.ingestedAtHour * HOUR_MS;
  const properties = dimensions(call.dimensions);
  const row = (metricName: string, sum: number) =>
    makeRow({ eventMs, ingestedMs, metricName, sum, max: sum, properties });
  return [
    row(METRIC_NAMES.prompt, prompt),
    ...(cachedPrompt === 0 ? [] : [row(METRIC_NAMES.cachedPrompt, cachedPrompt)]),
    row(METRIC_NAMES.completion, completion),
    row(METRIC_NAMES.total, prompt + completion),
  ];
}
