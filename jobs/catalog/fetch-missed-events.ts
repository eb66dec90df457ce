import { HEARD_WITHIN_MS, moveCatalogProgress, readCatalogProgress } from '../../src/catalog/progress.ts';
import { addMs, DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import type { BillingEvent } from '../../src/stripe/closing/port.ts';
import { catalogTargetOf, isKnownStripeEvent } from '../../src/stripe/event-targets.ts';
import { readLastArrival, recordWebhookEvents } from '../../src/webhook-events/events.ts';
import type { JobDependencies } from '../dependencies.ts';

/** Stripe keeps its list for thirty days; an hour is kept in hand. */
const LIST_REACHES_BACK_MS = 30 * DAY_MS - HOUR_MS;
/** Each look begins so long before the end of the last: an event may be listed a little after its instant. */
const OVERLAP_MS = 5 * 60_000;
/** While webhooks arrive, the list is only a check on them: each look is a rationed read. */
const LOOK_EVERY_MS = HEARD_WITHIN_MS;
const RECORDED_AT_ONCE = 1_000;

export interface FetchOutcome {
  listedCount: number;
  /** Events that no webhook had brought. */
  missedCount: number;
}

/**
 * Asks Stripe what happened since the last look, and records what no webhook has brought, under the same ids, so that one
 * which still arrives does nothing. Thin events are not in Stripe's list: what they report is found by the sums.
 * @throws UpstreamError; the next look covers the same time
 */
export async function fetchMissedEvents(deps: JobDependencies, signal?: AbortSignal): Promise<FetchOutcome> {
  const now = deps.clock.now();
  const progress =
    (await readCatalogProgress(deps.database, 'event_list')) ??
    // The first look: everything before the whole listing is in it.
    (await readCatalogProgress(deps.database, 'whole_listing'));
  const none = { listedCount: 0, missedCount: 0 };
  if (progress === null) return none;
  const lastArrival = await readLastArrival(deps.database, 'stripe');
  const isHeard = lastArrival !== null && now.getTime() - lastArrival.getTime() < HEARD_WITHIN_MS;
  if (isHeard && now.getTime() - progress.position.getTime() < LOOK_EVERY_MS) return none;
  const reachable = addMs(now, -LIST_REACHES_BACK_MS);
  const from = addMs(progress.position, -OVERLAP_MS);
  if (from < reachable) {
    deps.log.warn(
      { from, reachable },
      "Stripe's list of events does not reach back so far; the listing repairs it",
    );
  }
  const events = await deps.invoicing.listEvents({ since: from < reachable ? reachable : from }, signal);
  let missedCount = 0;
  for (let start = 0; start < events.length; start += RECORDED_AT_ONCE) {
    const rows = events.slice(start, start + RECORDED_AT_ONCE).map((event) => toWebhookEvent(event, now));
    const recorded = await recordWebhookEvents(deps.database, rows);
    missedCount += recorded.size;
  }
  await moveCatalogProgress(deps.database, 'event_list', { position: now, now });
  if (missedCount > 0 && lastArrival !== null) {
    deps.log.info({ missedCount }, 'Events that no webhook had brought were fetched');
  }
  return { listedCount: events.length, missedCount };
}

function toWebhookEvent(event: BillingEvent, now: Date) {
  const target = catalogTargetOf({
    eventType: event.type,
    objectType: event.objectType,
    objectId: event.objectId,
  });
  return {
    webhookEventId: event.eventId,
    provider: 'stripe' as const,
    eventType: event.type,
    relatedObjectId: event.objectId,
    objectType: event.objectType,
    payload: {
      kind: 'snapshot',
      created: Math.floor(event.createdAt.getTime() / 1_000),
      livemode: event.livemode,
      apiVersion: event.apiVersion,
      objectType: event.objectType,
      objectId: event.objectId,
    },
    occurredAt: event.createdAt,
    receivedAt: now,
    arrivedBy: 'event_list' as const,
    needsWork: target !== null,
    isKnownType: isKnownStripeEvent(event.type),
  };
}
