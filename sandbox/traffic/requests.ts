import { createRandom, deriveSeed, type Random } from '../random.ts';
import { type Call, drawCall } from './call.ts';
import { drawBetween, drawPercent } from './draws.ts';
import type { FeatureProfile } from './features.ts';
import { createItemId } from './item-id.ts';
import type { GatewayLogRow, LlmLogRow } from './log-row.ts';
import type { TrafficRow } from './row.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** The longest time from a request's minute to the visibility of its rows in either table. */
export const MAXIMUM_LOG_DELAY_MS = 20 * HOUR_MS + 2 * MINUTE_MS;

/** Ids of requests are drawn from another range than those of metric rows. */
const REQUEST_ID_SALT = 0x2f6e2b1;

/** The calls of one gateway unit in one minute, as the metric rows of that minute aggregate them. */
export interface UnitCalls {
  seed: number;
  dayIndex: number;
  /** Number of the unit's first metric row in its day: names the unit. */
  sequence: number;
  eventMs: number;
  calls: readonly Call[];
  properties: TrafficRow['properties'];
  profile: FeatureProfile;
  sizePercent: number;
}

export interface RequestSink {
  llm(row: LlmLogRow): void;
  gateway(row: GatewayLogRow): void;
  /** Told of every request in the LLM log once, with its prompt plus completion tokens there. */
  counted?: (tenantKey: string, tokenCount: number) => void;
}

/**
 * Writes the request-level rows behind one unit's metric rows. Its draws come from a seed of their own, so
 * that the metric rows are the same whether or not anybody asks for requests. The stories: streams without a
 * usage block (no tokens here, the gateway's estimate in the metric), streams with one (exact here), requests
 * one table lost, refused requests, requests without our trace, gateway rows that come hours later, and counts
 * that are logged twice.
 */
export function logRequests(unit: UnitCalls, sink: RequestSink): void {
  const random = createRandom(deriveSeed(unit.seed, 'requests', unit.dayIndex, unit.sequence));
  let number = 0;
  const write = (call: Call | null, story: Partial<Story> = {}) => {
    number += 1;
    writeRequest(unit, number, call, { ...drawStory(call, random), ...story }, random, sink);
  };
  for (const call of unit.calls) write(call);
  // A metric that never arrived: a request that only the logs know.
  if (drawPercent(random, 0.4)) write(drawCall(unit.profile, unit.sizePercent, random), { lost: false });
  if (drawPercent(random, 0.8)) write(null, { responseCode: 429 });
}

interface Story {
  isStream: boolean;
  reportsUsage: boolean;
  lost: boolean;
  responseCode: number;
  traced: boolean;
  gatewayLost: boolean;
  logsTwice: boolean;
}

function drawStory(call: Call | null, random: Random): Story {
  const isStream = (call?.completionTokens ?? 0) > 0 && drawPercent(random, 30);
  return {
    isStream,
    reportsUsage: !isStream || drawPercent(random, 92),
    lost: drawPercent(random, 0.4),
    responseCode: 200,
    traced: !drawPercent(random, 0.5),
    gatewayLost: drawPercent(random, 0.1),
    logsTwice: drawPercent(random, 1),
  };
}

function writeRequest(
  unit: UnitCalls,
  number: number,
  call: Call | null,
  story: Story,
  random: Random,
  sink: RequestSink,
): void {
  const id = (salt: number) =>
    createItemId(unit.seed ^ REQUEST_ID_SALT, unit.dayIndex, unit.sequence * 4_096 + number * 4 + salt);
  const correlationId = id(0);
  const eventMs = unit.eventMs + drawBetween(random, 0, MINUTE_MS - 1);
  const completion = call === null ? 0 : exactCompletion(call, story, random);
  const counts = call === null || !story.reportsUsage ? [0, 0] : [call.promptTokens, completion];
  const [promptTokens = 0, completionTokens = 0] = counts;
  const llmDelayMs = drawDelayMs(random, 0.5, 20 * HOUR_MS);
  const gatewayDelayMs = drawDelayMs(random, 1, 6 * HOUR_MS);
  const { properties } = unit;
  if (!story.lost) {
    sink.counted?.(properties.tenantId ?? '', promptTokens + completionTokens);
    for (let sequenceNumber = 0; sequenceNumber <= (story.logsTwice ? 1 : 0); sequenceNumber += 1) {
      sink.llm({
        itemId: id(1 + sequenceNumber),
        correlationId,
        eventMs,
        ingestedMs: eventMs + llmDelayMs + sequenceNumber * drawBetween(random, 1, 40_000),
        ingestedTicks: drawBetween(random, 0, 9999),
        sequenceNumber,
        deploymentName: properties.deployment ?? '',
        modelName: `${properties.model}-2024-11-20`,
        isStream: story.isStream,
        promptTokens,
        completionTokens,
        totalTokens: promptTokens + completionTokens,
      });
    }
  }
  if (story.gatewayLost) return;
  const { userId = '', tenantId = '', featureArea = '', model = '', deployment = '' } = properties;
  const caller = { userId, tenantId, featureArea, model, deployment };
  sink.gateway({
    correlationId,
    eventMs,
    ingestedMs: eventMs + gatewayDelayMs,
    ingestedTicks: drawBetween(random, 0, 9999),
    responseCode: story.responseCode,
    subscriptionId: `sub-${tenantId}`,
    productId: 'llm',
    traceRecords: [
      { source: 'rate-limit', message: 'checked', metadata: { remaining: '9' } },
      ...(story.traced ? [{ source: 'tallystick', message: 'caller', metadata: caller }] : []),
    ],
  });
}

/** A stream's metric is the gateway's estimate; what the model itself reports is a little off from it. */
function exactCompletion(call: Call, story: Story, random: Random): number {
  const percent = drawBetween(random, 97, 103);
  return story.isStream
    ? Math.max(1, Math.floor((call.completionTokens * percent) / 100))
    : call.completionTokens;
}

/** Resource logs take 2 to 8 minutes; a few take hours. */
function drawDelayMs(random: Random, latePercent: number, longestMs: number): number {
  return drawPercent(random, latePercent)
    ? drawBetween(random, 10 * MINUTE_MS, longestMs)
    : drawBetween(random, 2 * MINUTE_MS, 8 * MINUTE_MS);
}
