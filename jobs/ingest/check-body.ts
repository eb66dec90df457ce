import { DIMENSION_NAMES, DIMENSIONS, FIGURE_NAMES, FIGURES } from '../../pricing/usage/shape.ts';
import { USAGE_EVENT_SOURCE, USAGE_EVENT_TYPE } from '../../src/openmeter/port.ts';
import type { ClaimedEvent } from '../../src/usage/events/usage-events.ts';

/** All attributes that an event is written with. OpenMeter refuses a whole batch for one that it cannot read. */
const ATTRIBUTES = new Set(['specversion', 'id', 'source', 'type', 'subject', 'time', 'data']);

/**
 * Whether the stored bytes of an event say what the event's row says: id, subject, time, dimensions and counts. They
 * were written together and never change; where they differ, one of them was damaged, and neither may be sent. Bytes of
 * before a figure was known say nothing of it, which is 0.
 */
export function isIntact(event: ClaimedEvent): boolean {
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(event.body) as Record<string, unknown>;
  } catch {
    return false;
  }
  const data = body?.data as Record<string, unknown> | null | undefined;
  if (typeof data !== 'object' || data === null) return false;
  return (
    Object.keys(body).every((name) => ATTRIBUTES.has(name)) &&
    body.specversion === '1.0' &&
    body.id === event.usageEventId &&
    body.source === USAGE_EVENT_SOURCE &&
    body.type === USAGE_EVENT_TYPE &&
    Date.parse(String(body.time)) === event.eventTime.getTime() &&
    DIMENSION_NAMES.every(
      (name) => (DIMENSIONS[name].eventPlace === 'subject' ? body.subject : data[name]) === event[name],
    ) &&
    FIGURE_NAMES.every(
      (name) => (data[FIGURES[name].eventField] ?? '0') === String(event[FIGURES[name].property]),
    )
  );
}

const EVENT_FIELDS = FIGURE_NAMES.map((name) => FIGURES[name].eventField);

/**
 * The bytes to send for the bytes that are stored: every figure is in them, also one that was not known when they were
 * written. OpenMeter's sink finds an event invalid that lacks the value of any meter of its type (`validateEventWithMeter` in
 * its `sink/namespaces.go`), after its 204, and then no meter counts it.
 */
export function bodyWithAllFigures(body: string): string {
  // A quote within a value is escaped, so that no value imitates a name.
  const missing = EVENT_FIELDS.filter((field) => !body.includes(`"${field}":`));
  if (missing.length === 0) return body;
  const event = JSON.parse(body) as { data: Record<string, string> };
  for (const field of missing) event.data[field] = '0';
  return JSON.stringify(event);
}
