import type { IngestedEvent, IngestedEventCursorPaginatedResponse } from '@openmeter/sdk';
import { ListEventsQueryParams, ListEventsV2QueryParams } from '@openmeter/sdk/zod';
import type { Hono } from 'hono';
import type { CustomerStore } from './customer-store.ts';
import type { EventStore, StoredEvent } from './event-store.ts';
import { compileStringFilter, compileTimeFilter } from './filters.ts';
import type { MeterStore } from './meter-store.ts';
import { Problem, parseOrRefuse, printSeconds, type Wire } from './wire.ts';

const HOUR_MS = 3_600_000;
const DEFAULT_BACK_MS = 72 * HOUR_MS;
const LONGEST_BACK_MS = 32 * 24 * HOUR_MS;

export interface EventListDependencies {
  meters: MeterStore;
  customers: CustomerStore;
  nowMs(): number;
  /** The table, brought to the present. */
  freshStore(): EventStore;
  storedByMs(): number;
}

/** GET /api/v1/events and /api/v2/events: newest first, at most 100 a page. */
export function addEventListRoutes(app: Hono, dependencies: EventListDependencies): void {
  app.get('/api/v1/events', (context) => {
    const given = context.req.query();
    const customerIds = context.req.queries('customerId');
    const query = parseOrRefuse(ListEventsQueryParams, {
      ...given,
      ...(customerIds === undefined ? {} : { customerId: customerIds }),
    });
    const nowMs = dependencies.nowMs();
    const fromMs = query.from?.getTime() ?? nowMs - DEFAULT_BACK_MS;
    if (fromMs < nowMs - LONGEST_BACK_MS) throw new Problem(400, 'from date is too old');
    if (query.to !== undefined && query.to.getTime() < fromMs)
      throw new Problem(400, 'to date is before from date');
    const toMs = query.to?.getTime() ?? Infinity;
    const subjects =
      query.customerId === undefined ? null : dependencies.customers.subjectsOf(query.customerId);
    const found = visibleEvents(dependencies, dependencies.freshStore().types(), null).filter((event) => {
      const timeMs = event.timeSeconds * 1000;
      return (
        timeMs >= fromMs &&
        timeMs <= toMs &&
        event.ingestedAtMs >= (query.ingestedAtFrom?.getTime() ?? -Infinity) &&
        event.ingestedAtMs <= (query.ingestedAtTo?.getTime() ?? Infinity) &&
        (query.id === undefined || event.id.includes(query.id)) &&
        (query.subject === undefined || event.subject === query.subject) &&
        (subjects === null || subjects.has(event.subject))
      );
    });
    found.sort((left, right) => compareNewestFirst(left, right, timeOf));
    return context.json(found.slice(0, query.limit).map((event) => toWire(event, dependencies)));
  });

  app.get('/api/v2/events', (context) => {
    const query = parseOrRefuse(ListEventsV2QueryParams, context.req.query());
    const filter = readFilter(context.req.query('filter'));
    const sortBy = filter.ingestedAt === undefined ? timeOf : ingestedAtOf;
    const cursor = query.cursor === undefined ? null : readCursor(query.cursor);
    const tests: ((event: StoredEvent) => boolean)[] = [];
    for (const name of ['id', 'source', 'subject', 'type'] as const) {
      if (filter[name] === undefined || filter[name] === null) continue;
      const test = compileStringFilter(name, filter[name]);
      tests.push((event) => test(event[name]));
    }
    if (filter.time) {
      const test = compileTimeFilter('time', filter.time);
      tests.push((event) => test(event.timeSeconds * 1000));
    }
    if (filter.ingestedAt) {
      const test = compileTimeFilter('ingestedAt', filter.ingestedAt);
      tests.push((event) => test(event.ingestedAtMs));
    }
    const store = dependencies.freshStore();
    const found = visibleEvents(
      dependencies,
      filter.type?.$eq ? [filter.type.$eq] : store.types(),
      filter.id?.$in ?? null,
    )
      .filter((event) => tests.every((test) => test(event)))
      // By row and not by event, so that copies of one event are not lost at the border of a page.
      .filter(
        (event) =>
          cursor === null ||
          sortBy(event) < cursor.seconds ||
          (sortBy(event) === cursor.seconds && event.storeRowId < cursor.storeRowId),
      )
      .sort((left, right) => compareNewestFirst(left, right, sortBy))
      .slice(0, query.limit);
    const last = found.length < query.limit ? undefined : found.at(-1);
    const page: Wire<IngestedEventCursorPaginatedResponse> = {
      items: found.map((event) => toWire(event, dependencies)),
      // With full pages only.
      ...(last === undefined ? {} : { nextCursor: printCursor(last, sortBy) }),
    };
    return context.json(page);
  });
}

function visibleEvents(
  dependencies: EventListDependencies,
  types: readonly string[],
  ids: readonly string[] | null,
): StoredEvent[] {
  const store = dependencies.freshStore();
  const storedByMs = dependencies.storedByMs();
  const candidates =
    ids === null
      ? types.flatMap((type) => store.buckets(type, null, null).flatMap(([, bucket]) => bucket.events))
      : [...new Set(ids)].flatMap((id) => store.withId(id));
  return candidates.filter((event) => event.storedAtMs <= storedByMs);
}

type EventFilter = {
  [Name in 'id' | 'source' | 'subject' | 'type']?: Parameters<typeof compileStringFilter>[1];
} & { [Name in 'time' | 'ingestedAt']?: Parameters<typeof compileTimeFilter>[1] };

function readFilter(text: string | undefined): EventFilter {
  if (text === undefined) return {};
  let filter: unknown;
  try {
    filter = JSON.parse(text);
  } catch {
    throw new Problem(400, 'filter is not valid JSON');
  }
  if (typeof filter !== 'object' || filter === null) throw new Problem(400, 'filter must be a JSON object');
  const read = filter as EventFilter;
  if (read.time && read.ingestedAt) throw new Problem(400, 'time and ingested_at cannot both be set');
  return read;
}

const timeOf = (event: StoredEvent) => event.timeSeconds;
const ingestedAtOf = (event: StoredEvent) => Math.floor(event.ingestedAtMs / 1000);

function compareNewestFirst(
  left: StoredEvent,
  right: StoredEvent,
  sortBy: (event: StoredEvent) => number,
): number {
  return sortBy(right) - sortBy(left) || (left.storeRowId < right.storeRowId ? 1 : -1);
}

function printCursor(event: StoredEvent, sortBy: (event: StoredEvent) => number): string {
  return Buffer.from(`${printSeconds(sortBy(event))},${event.storeRowId}`).toString('base64url');
}

function readCursor(cursor: string): { seconds: number; storeRowId: string } {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const comma = text.indexOf(',');
  const seconds = Date.parse(text.slice(0, comma)) / 1000;
  if (comma < 0 || Number.isNaN(seconds)) throw new Problem(400, 'cursor is not valid');
  return { seconds, storeRowId: text.slice(comma + 1) };
}

function toWire(event: StoredEvent, { meters, customers }: EventListDependencies): Wire<IngestedEvent> {
  const customer = customers.withSubject(event.subject);
  const complaints: string[] = [];
  if (!meters.list(false).some((meter) => meter.eventType === event.type))
    complaints.push('no meter found for event');
  if (customer === null) complaints.push('no customer found for event subject');
  return {
    event: {
      specversion: '1.0',
      id: event.id,
      source: event.source,
      type: event.type,
      subject: event.subject,
      time: printSeconds(event.timeSeconds),
      datacontenttype: 'application/json',
      data: event.data,
    },
    ...(customer === null ? {} : { customerId: customer.id }),
    ...(complaints.length === 0 ? {} : { validationError: complaints.join('; ') }),
    ingestedAt: printSeconds(Math.floor(event.ingestedAtMs / 1000)),
    storedAt: printSeconds(Math.floor(event.storedAtMs / 1000)),
  };
}
