import { DIMENSION_NAMES, DIMENSIONS, FIGURE_NAMES, FIGURES } from '../../pricing/usage/shape.ts';
import { USAGE_EVENT_SOURCE, USAGE_EVENT_TYPE } from '../../src/openmeter/port.ts';
import type { ClaimedEvent } from '../../src/usage/events/usage-events.ts';

/** All attributes that an event is written with. OpenMeter refuses a whole batch for one that it cannot read. */
const ATTRIBUTES = new Set(['specversion', 'id', 'source', 'type', 'subject', 'time', 'data']);

/**
 * Whether the stored bytes of an event say what the event's row says: id, subject, time, dimensions and counts. They
 * were written together and never change; where they differ, one of them was damaged, and neither may be sent.
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
    FIGURE_NAMES.every((name) => data[FIGURES[name].eventField] === String(event[FIGURES[name].property]))
  );
}
