import type { Event } from '@openmeter/sdk';
import { IngestEventsBody } from '@openmeter/sdk/zod';
import type { Hono } from 'hono';
import type { QueuedEvent } from './event-store.ts';
import { Problem, readJson, type Wire } from './wire.ts';

export interface IngestDependencies {
  nowMs(): number;
  poisonIds(): readonly string[];
  faultyIds(): readonly string[];
  /** Journals and queues; called once for a request, when every event of it is good. */
  acceptEvents(events: QueuedEvent[]): void;
}

const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/;
const REQUIRED = ['id', 'source', 'specversion', 'type', 'subject'] as const;
/** CloudEvents allows letters and digits in the name of an attribute, and no more. */
const ATTRIBUTE_NAME = /^[A-Za-z0-9]+$/;
/** What OpenMeter's Kafka producer takes as one message. */
const EVENT_BYTES_MAX = 1_000_000;

/**
 * POST /api/v1/events. 204 says queued: all events of a request, or none of them when one is refused. Only an event
 * that is too large for Kafka is found on the way there: those before it in its request are queued, and it is a 500.
 */
export function addIngestRoutes(app: Hono, dependencies: IngestDependencies): void {
  app.post('/api/v1/events', async (context) => {
    const contentType = context.req.header('content-type') ?? '';
    const body = await readEvents(contentType, () => readJson(context));
    const ingestedAtMs = dependencies.nowMs();
    const poison = dependencies.poisonIds();
    const events = body.map((event, index) => {
      const queued = validate(event, index, ingestedAtMs);
      if (poison.includes(queued.id)) throw new Problem(400, `events[${index}]: event is invalid`);
      return queued;
    });
    const faulty = dependencies.faultyIds();
    if (events.some((event) => faulty.includes(event.id))) throw new Problem(500, 'internal error');
    const tooLarge = findTooLarge(body, Number(context.req.header('content-length') ?? Infinity));
    const queued = tooLarge === -1 ? events : events.slice(0, tooLarge);
    // Kafka knows no time before 1970; what has one is lost after its 204.
    dependencies.acceptEvents(queued.filter((event) => event.timeSeconds >= 0));
    if (tooLarge !== -1) throw new Problem(500, 'producing kafka message: Broker: Message size too large');
    return context.body(null, 204);
  });
}

/** Place of the first event that Kafka does not take, or -1. */
function findTooLarge(body: readonly unknown[], requestBytes: number): number {
  if (requestBytes <= EVENT_BYTES_MAX) return -1;
  return body.findIndex((event) => Buffer.byteLength(JSON.stringify(event)) > EVENT_BYTES_MAX);
}

/** The content type decides the form, and is compared by exact string: a charset already makes it a 400. */
async function readEvents(contentType: string, read: () => Promise<unknown>): Promise<unknown[]> {
  switch (contentType) {
    case 'application/cloudevents-batch+json': {
      const body = await read();
      if (!Array.isArray(body)) throw new Problem(400, 'a batch must be a JSON array');
      return body;
    }
    case 'application/cloudevents+json':
      return [await read()];
    case 'application/json': {
      const body = await read();
      if (Array.isArray(body) && body.length === 0) throw new Problem(400, 'no events found');
      return Array.isArray(body) ? body : [body];
    }
    default:
      throw new Problem(400, `invalid content type: ${contentType}`);
  }
}

/** The SDK's schema coerces, so an absent id would become the text "undefined": presence is checked first. */
function validate(body: unknown, index: number, ingestedAtMs: number): QueuedEvent {
  if (typeof body !== 'object' || body === null)
    throw new Problem(400, `events[${index}]: must be an object`);
  const event = body as Partial<Wire<Event>>;
  for (const name of REQUIRED) {
    if (typeof event[name] !== 'string') throw new Problem(400, `events[${index}]: ${name} is required`);
  }
  if (event.specversion !== '1.0') {
    throw new Problem(400, `events[${index}]: unknown specversion: ${event.specversion}`);
  }
  const badName = Object.keys(event).find((name) => !ATTRIBUTE_NAME.test(name));
  if (badName !== undefined) {
    throw new Problem(400, `events[${index}]: invalid attribute name: ${JSON.stringify(badName)}`);
  }
  if (typeof event.data === 'object' && event.data !== null && holdsNull(event.data)) {
    throw new Problem(400, `events[${index}].data: value is not nullable`);
  }
  if (
    event.time !== undefined &&
    event.time !== null &&
    !(typeof event.time === 'string' && RFC_3339.test(event.time))
  ) {
    throw new Problem(400, `events[${index}]: time is not an RFC 3339 instant`);
  }
  const parsed = IngestEventsBody.safeParse(body);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Problem(
      400,
      `events[${index}].${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is invalid'}`,
    );
  }
  const { id, source, type, subject, time, data } = parsed.data;
  const timeMs = time?.getTime() ?? ingestedAtMs;
  return {
    id,
    source,
    type,
    subject,
    timeSeconds: Math.floor(timeMs / 1000),
    ingestedAtMs,
    data: data ?? null,
  };
}

function holdsNull(value: object): boolean {
  return Object.values(value).some((item) => item === null || (typeof item === 'object' && holdsNull(item)));
}
