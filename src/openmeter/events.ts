import type { Event, OpenMeter } from '@openmeter/sdk';
import type { TimeWindow } from '../platform/clock.ts';
import { UpstreamError } from '../platform/errors.ts';
import { callForJson, type SdkCallOptions } from './answers.ts';
import { USAGE_EVENT_SOURCE, USAGE_EVENT_TYPE } from './port.ts';

/** Event ids of one lookup: the filter travels in the address, which common proxies cut at 8 kB. */
const LOOKUP_ID_COUNT = 40;
const LOOKUP_FILTER_LENGTH_MAX = 6_000;
/** Page size of the events list; the API allows no more. */
const PAGE_SIZE = 100;

/**
 * Sends stored bodies as one batch, byte for byte: openapi-fetch's `bodySerializer` puts our text on the wire
 * in place of the SDK's own. Headers are not touched, because any given header replaces the SDK's content type,
 * and OpenMeter takes `application/cloudevents-batch+json` only as exactly that.
 * @throws UpstreamError UPSTREAM_REJECTED (400, or a body whose id, source or time is missing: the SDK or the
 *   server would invent one and every repeat would be new usage), UPSTREAM_THROTTLED, UPSTREAM_UNAVAILABLE
 */
export async function ingestEvents(
  sdk: OpenMeter,
  eventBodies: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  if (eventBodies.length === 0) return;
  const events = eventBodies.map(parseStoredEvent);
  const options: SdkCallOptions = {
    bodySerializer: () => `[${eventBodies.join(',')}]`,
    ...(signal === undefined ? {} : { signal }),
  };
  await sdk.events.ingest(events, options);
}

function parseStoredEvent(body: string, index: number): Event {
  let event: unknown;
  try {
    event = JSON.parse(body);
  } catch (cause) {
    throw storedEventError(index, 'is not JSON', cause);
  }
  if (typeof event !== 'object' || event === null) throw storedEventError(index, 'is not a JSON object');
  for (const name of ['id', 'source', 'type', 'subject', 'time']) {
    const value = (event as Record<string, unknown>)[name];
    if (typeof value !== 'string' || value === '') throw storedEventError(index, `has no ${name}`);
  }
  return event as Event;
}

function storedEventError(index: number, problem: string, cause?: unknown): UpstreamError {
  return new UpstreamError(`Stored event ${index} of the batch ${problem}; it was not sent`, {
    system: 'openmeter',
    code: 'UPSTREAM_REJECTED',
    // The 400 it would be, so that callers bisect on our verdict as they do on OpenMeter's.
    statusCode: 400,
    retry: false,
    context: { index, problem },
    cause,
  });
}

/**
 * How often each of `eventIds` is stored inside the window; absent ids are absent from the answer.
 * Always asks by type, source and time as well: a lookup by id alone would scan OpenMeter's whole table.
 * @throws UpstreamError
 */
export async function findEvents(
  sdk: OpenMeter,
  query: { eventIds: readonly string[]; window: TimeWindow },
  signal: AbortSignal | undefined,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const eventIds of chunkIds([...new Set(query.eventIds)])) {
    for (const id of await listStoredIds(sdk, eventIds, query.window, signal)) {
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  }
  return counts;
}

async function listStoredIds(
  sdk: OpenMeter,
  eventIds: readonly string[],
  window: TimeWindow,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const filter = lookupFilter(eventIds, window);
  const found: string[] = [];
  for (let cursor: string | null | undefined; ; ) {
    const page = await callForJson('GET /api/v2/events', signal, (options) =>
      // The typed object filter throws inside the SDK's query serializer; JSON text is what the API reads.
      sdk.events.listV2({ filter, limit: PAGE_SIZE, ...(cursor ? { cursor } : {}) }, options),
    );
    // The cursor goes by (time, id), so copies of one event across a page border would be lost.
    // A full page of several ids is therefore asked again in halves.
    if (page.items.length >= PAGE_SIZE && eventIds.length > 1) {
      const middle = Math.ceil(eventIds.length / 2);
      const first = await listStoredIds(sdk, eventIds.slice(0, middle), window, signal);
      return first.concat(await listStoredIds(sdk, eventIds.slice(middle), window, signal));
    }
    for (const item of page.items) found.push(item.event.id);
    const isLast = page.items.length < PAGE_SIZE || !page.nextCursor || page.nextCursor === cursor;
    if (isLast) return found;
    cursor = page.nextCursor;
  }
}

function lookupFilter(eventIds: readonly string[], window: TimeWindow): string {
  return JSON.stringify({
    id: { $in: eventIds },
    source: { $eq: USAGE_EVENT_SOURCE },
    type: { $eq: USAGE_EVENT_TYPE },
    // One operator a filter: OpenMeter refuses {$gte, $lt} side by side ("multiple operators are set").
    time: { $and: [{ $gte: window.start.toISOString() }, { $lt: window.end.toISOString() }] },
  });
}

function chunkIds(eventIds: readonly string[]): string[][] {
  const chunks: string[][] = [];
  let chunk: string[] = [];
  let length = 0;
  for (const id of eventIds) {
    const idLength = encodeURIComponent(JSON.stringify(id)).length + 3;
    if (
      chunk.length > 0 &&
      (chunk.length >= LOOKUP_ID_COUNT || length + idLength > LOOKUP_FILTER_LENGTH_MAX)
    ) {
      chunks.push(chunk);
      chunk = [];
      length = 0;
    }
    chunk.push(id);
    length += idLength;
  }
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}
