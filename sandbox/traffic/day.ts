import { createRandom, deriveSeed, type Random } from '../random.ts';
import type { Scenario } from '../scenario.ts';
import { aggregateCalls, type Call, drawCall, emptyCategories } from './call.ts';
import { drawBetween, drawPercent } from './draws.ts';
import type { FeatureProfile } from './features.ts';
import { createItemId } from './item-id.ts';
import { logRequests, type RequestSink } from './requests.ts';
import type { TrafficRow } from './row.ts';
import { drawSessions, type Session } from './sessions.ts';
import { type Caller, isWeekend } from './stories.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** A real gateway emits every category of every minute, most of them 0. One unit of so many does here: rows cost time. */
const EVERY_CATEGORY_SHARE = 16;
const CATEGORY_ID_SALT = 0x5ca1ab1e;
const LONGEST_DELAY_MS = 20 * 60 * MINUTE_MS;

/** The longest time from a minute's start to the visibility of its row: minute, delay, and a little jitter. */
export const MAXIMUM_INGESTION_DELAY_MS = MINUTE_MS + LONGEST_DELAY_MS + MINUTE_MS;

export interface DayOptions {
  scenario: Scenario;
  callers: Caller[];
  dayIndex: number;
  /** Calls per minute and gateway units are multiplied by this whole number. */
  rowMultiplier: number;
  onRow?: (row: TrafficRow) => void;
  /** Told of every call before it is aggregated: the count that does not pass through rows. */
  onCall?: (tenantKey: string, tokenCount: number) => void;
  /** Given: the request-level rows are written as well. */
  requests?: RequestSink;
}

/** A day being played: `sequence` numbers its rows, the basis of their ids. */
interface Day extends DayOptions {
  startMs: number;
  sequence: number;
}

/** Plays one day. Each caller's day has its own seed, so that nothing depends on who was asked before. */
export function playDay(options: DayOptions): void {
  const { scenario, dayIndex } = options;
  const day: Day = { ...options, startMs: scenario.options.startMs + dayIndex * DAY_MS, sequence: 0 };
  const weekend = isWeekend(scenario, dayIndex);
  for (const caller of options.callers) {
    const random = createRandom(deriveSeed(scenario.options.seed, 'caller', caller.subject, dayIndex));
    for (const session of drawSessions(caller, dayIndex, weekend, random)) {
      playSession(day, caller, session, random);
    }
  }
}

function playSession(day: Day, caller: Caller, session: Session, random: Random): void {
  const properties = describeSeries(caller, session.profile);
  for (let minute = 0; minute < session.minuteCount; minute += 1) {
    const eventMs = day.startMs + (session.startMinute + minute) * MINUTE_MS;
    if (caller.callsUntilMs !== undefined && eventMs >= caller.callsUntilMs) return;
    const callCount = drawBetween(random, session.minimumCalls, session.maximumCalls) * day.rowMultiplier;
    for (const unitCallCount of drawUnits(callCount, day.rowMultiplier, random)) {
      const calls = Array.from({ length: unitCallCount }, () => {
        const call = drawCall(session.profile, caller.sizePercent, random);
        day.onCall?.(caller.tenantKey, call.promptTokens + call.completionTokens);
        return call;
      });
      if (day.requests !== undefined) {
        const { seed } = day.scenario.options;
        const { profile } = session;
        const { dayIndex, sequence } = day;
        const unit = { seed, dayIndex, sequence, eventMs, calls, properties, profile };
        logRequests({ ...unit, sizePercent: caller.sizePercent }, day.requests);
      }
      flushUnit(day, eventMs, calls, properties, random);
    }
  }
}

/** What one gateway unit sends at the end of one minute. */
function flushUnit(
  day: Day,
  eventMs: number,
  calls: Call[],
  properties: TrafficRow['properties'],
  random: Random,
): void {
  const { seed } = day.scenario.options;
  const delayMs = drawIngestionDelayMs(random);
  const aggregates = aggregateCalls(calls);
  if (delayMs % EVERY_CATEGORY_SHARE === 0) {
    // Without a draw, and under ids of their own: the other rows are the same with and without them.
    const times = { eventMs, ingestedMs: eventMs + MINUTE_MS + delayMs, ingestedTicks: 0 };
    for (const [index, empty] of emptyCategories(aggregates, calls).entries()) {
      const itemId = createItemId(seed ^ CATEGORY_ID_SALT, day.dayIndex, day.sequence * 16 + index);
      day.onRow?.({ itemId, ...times, ...empty, properties });
    }
  }
  for (const aggregate of aggregates) {
    const ingestedMs = eventMs + MINUTE_MS + delayMs + drawBetween(random, 0, 1500);
    const ingestedTicks = drawBetween(random, 0, 9999);
    day.sequence += 1;
    if (day.onRow === undefined) continue;
    const itemId = createItemId(seed, day.dayIndex, day.sequence);
    day.onRow({ itemId, eventMs, ingestedMs, ingestedTicks, ...aggregate, properties });
  }
}

/** How many calls each gateway unit sees: most minutes pass through one unit, some through two. */
function drawUnits(callCount: number, rowMultiplier: number, random: Random): number[] {
  const unitCount = Math.min(callCount, rowMultiplier + (drawPercent(random, 12) ? 1 : 0));
  const share = Math.floor(callCount / unitCount);
  return Array.from({ length: unitCount }, (_, unit) => share + (unit < callCount % unitCount ? 1 : 0));
}

/** Mostly 30 seconds to 4 minutes after the minute's end; one in a hundred 10 minutes to 20 hours. */
function drawIngestionDelayMs(random: Random): number {
  return drawPercent(random, 1)
    ? drawBetween(random, 10 * MINUTE_MS, LONGEST_DELAY_MS)
    : drawBetween(random, 30_000, 4 * MINUTE_MS);
}

function describeSeries(caller: Caller, profile: FeatureProfile): TrafficRow['properties'] {
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
