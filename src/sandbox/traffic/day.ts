import { createRandom, deriveSeed, type Random } from '../random.ts';
import type { Scenario } from '../scenario.ts';
import { drawBetween, drawPercent } from './draws.ts';
import type { FeatureProfile } from './features.ts';
import { createItemId } from './item-id.ts';
import { METRIC_NAMES, type TrafficRow } from './row.ts';
import { drawSessions } from './sessions.ts';
import { type Caller, isWeekend } from './stories.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** The longest time between a minute and the visibility of its row: the minute itself, then 20 hours. */
export const MAXIMUM_INGESTION_DELAY_MS = MINUTE_MS + 20 * 3_600_000 + MINUTE_MS;

/** Tokens of one call to a model. Cached is part of prompt, reasoning part of completion. */
interface Call {
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  reasoningTokens: number;
}

export interface DayOptions {
  scenario: Scenario;
  callers: Caller[];
  dayIndex: number;
  /** Calls per minute and gateway units are multiplied by this whole number. */
  rowMultiplier: number;
  onRow?: (row: TrafficRow) => void;
  /** Told of every call before it is aggregated: the count that does not pass through rows. */
  onCall?: (tenantKey: string, tokenCount: number) => void;
}

/** Plays one day. Each caller's day has its own seed, so that nothing depends on who was asked before. */
export function playDay(options: DayOptions): void {
  const { scenario, dayIndex } = options;
  const dayStartMs = scenario.options.startMs + dayIndex * DAY_MS;
  const weekend = isWeekend(scenario, dayIndex);
  let sequence = 0;
  for (const caller of options.callers) {
    const random = createRandom(deriveSeed(scenario.options.seed, 'caller', caller.subject, dayIndex));
    for (const session of drawSessions(caller, dayIndex, weekend, random)) {
      const properties = describeSeries(caller, session.profile);
      for (let minute = 0; minute < session.minuteCount; minute += 1) {
        const eventMs = dayStartMs + (session.startMinute + minute) * MINUTE_MS;
        const callCount =
          drawBetween(random, session.minimumCalls, session.maximumCalls) * options.rowMultiplier;
        const units = drawUnits(callCount, options.rowMultiplier, random);
        for (const unitCallCount of units) {
          const calls: Call[] = [];
          for (let call = 0; call < unitCallCount; call += 1) {
            const drawn = drawCall(session.profile, caller.sizePercent, random);
            options.onCall?.(caller.tenantKey, drawn.promptTokens + drawn.completionTokens);
            calls.push(drawn);
          }
          const delayMs = drawIngestionDelayMs(random);
          for (const row of aggregateCalls(calls)) {
            const ingestedMs = eventMs + MINUTE_MS + delayMs + drawBetween(random, 0, 1500);
            const ingestedTicks = drawBetween(random, 0, 9999);
            sequence += 1;
            if (options.onRow === undefined) continue;
            const itemId = createItemId(scenario.options.seed, dayIndex, sequence);
            options.onRow({ itemId, eventMs, ingestedMs, ingestedTicks, ...row, properties });
          }
        }
      }
    }
  }
}

/** Most minutes pass through one gateway unit, some through two. */
function drawUnits(callCount: number, rowMultiplier: number, random: Random): number[] {
  const unitCount = Math.min(callCount, rowMultiplier + (drawPercent(random, 12) ? 1 : 0));
  const share = Math.floor(callCount / unitCount);
  return Array.from({ length: unitCount }, (_, unit) => share + (unit < callCount % unitCount ? 1 : 0));
}

function drawCall(profile: FeatureProfile, sizePercent: number, random: Random): Call {
  const size = (mean: number) =>
    mean === 0 ? 0 : Math.max(1, Math.floor((mean * sizePercent * drawBetween(random, 500, 1500)) / 100_000));
  const promptTokens = size(profile.promptTokens);
  const completionTokens = size(profile.completionTokens);
  const cached = drawPercent(random, profile.cachedCallPercent);
  // Prompt caches hold whole blocks of 128 tokens.
  const cachedTokens = cached ? Math.floor((promptTokens * profile.cachedPromptPercent) / 12_800) * 128 : 0;
  const reasoningTokens = Math.floor(
    (completionTokens * profile.reasoningPercent * drawBetween(random, 70, 130)) / 10_000,
  );
  return { promptTokens, cachedTokens, completionTokens, reasoningTokens };
}

/** Mostly 30 seconds to 4 minutes after the minute's end; one in a hundred 10 minutes to 20 hours. */
function drawIngestionDelayMs(random: Random): number {
  return drawPercent(random, 1)
    ? drawBetween(random, 10 * MINUTE_MS, 20 * 60 * MINUTE_MS)
    : drawBetween(random, 30_000, 4 * MINUTE_MS);
}

type Aggregate = Pick<TrafficRow, 'metricName' | 'sum' | 'itemCount' | 'min' | 'max'>;

/** One row for each metric that has something to say; metrics are aggregated over the calls that emit them. */
function aggregateCalls(calls: Call[]): Aggregate[] {
  return [
    aggregate(
      METRIC_NAMES.prompt,
      calls.map((call) => call.promptTokens),
    ),
    aggregate(
      METRIC_NAMES.cachedPrompt,
      calls.map((call) => call.cachedTokens),
    ),
    aggregate(
      METRIC_NAMES.completion,
      calls.map((call) => call.completionTokens),
    ),
    aggregate(
      METRIC_NAMES.reasoning,
      calls.map((call) => call.reasoningTokens),
    ),
    aggregate(
      METRIC_NAMES.total,
      calls.map((call) => call.promptTokens + call.completionTokens),
    ),
  ].filter((row) => row !== null);
}

function aggregate(metricName: string, values: number[]): Aggregate | null {
  let sum = 0;
  let itemCount = 0;
  let min = 0;
  let max = 0;
  for (const value of values) {
    if (value === 0) continue;
    sum += value;
    min = itemCount === 0 || value < min ? value : min;
    max = Math.max(value, max);
    itemCount += 1;
  }
  return itemCount === 0 ? null : { metricName, sum, itemCount, min, max };
}

function describeSeries(caller: Caller, profile: FeatureProfile): Readonly<Record<string, string>> {
  return Object.freeze({
    userId: caller.subject,
    tenantId: caller.tenantKey,
    featureArea: profile.feature,
    model: profile.model,
    deployment: profile.deployment,
    'Service ID': 'apim-sandbox',
    'Service Name': 'apim-sandbox.azure-api.net',
    Region: 'West Europe',
    '_MS.MetricNamespace': 'openai',
  });
}
