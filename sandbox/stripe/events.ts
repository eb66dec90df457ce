import { toSeconds } from './http/wire.ts';
import type { StripeEvent, StripeState } from './state.ts';

const API_VERSION = '2026-10-28.endive';

/** Records that something happened to an object, with the object as it was then. */
export function recordSnapshotEvent(
  state: StripeState,
  type: string,
  object: object,
  atMs: number,
): StripeEvent {
  const id = state.nextId('evt');
  const body = {
    id,
    object: 'event',
    api_version: API_VERSION,
    created: toSeconds(atMs),
    data: { object: structuredClone(object) },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
  };
  const event: StripeEvent = { id, type, thin: false, body };
  state.events.set(id, event);
  return event;
}

export interface ThinEventInput {
  type: string;
  relatedObject: { id: string; type: string; url: string } | null;
  data: Record<string, unknown>;
}

/** A thin event: its `data` is had only by asking for the event, and is not in the notification. */
export function recordThinEvent(state: StripeState, input: ThinEventInput, atMs: number): StripeEvent {
  const id = state.nextId('evt_test');
  const body = {
    id,
    object: 'v2.core.event',
    context: null,
    created: new Date(atMs).toISOString(),
    livemode: false,
    reason: null,
    type: input.type,
    ...(input.relatedObject === null ? {} : { related_object: input.relatedObject }),
    data: input.data,
  };
  const event: StripeEvent = { id, type: input.type, thin: true, body };
  state.events.set(id, event);
  return event;
}

/** What is sent to a webhook: a snapshot whole, a thin event without its data. */
export function notificationOf(event: StripeEvent): Record<string, unknown> {
  if (!event.thin) return event.body;
  const { data: _data, ...notification } = event.body;
  return notification;
}
