import type Stripe from 'stripe';
import { type ClosingClient, readPages } from './closing/calls.ts';
import type { BillingEvent } from './closing/port.ts';

/** Stripe takes so many types at a time; more are several listings. */
const TYPES_PER_LIST = 20;

/** See InvoiceSystem.listEvents. */
export async function listEvents(
  client: ClosingClient,
  query: { since: Date; types?: readonly string[] },
  signal?: AbortSignal,
): Promise<BillingEvent[]> {
  const { since, types } = query;
  const created = { gte: Math.floor(since.getTime() / 1_000) };
  const filters: Stripe.EventListParams[] =
    types === undefined ? [{}] : chunk([...new Set(types)], TYPES_PER_LIST).map((some) => ({ types: some }));
  const events: BillingEvent[] = [];
  for (const filter of filters) {
    const found = await readPages(
      client,
      { action: 'list events' },
      (page) => client.stripe.events.list({ ...page, ...filter, created }),
      signal,
    );
    // Newest first as they come; those of one second keep the order in which they happened.
    events.push(...found.reverse().map(toEvent));
  }
  return events.sort((one, other) => one.createdAt.getTime() - other.createdAt.getTime());
}

function toEvent(event: Stripe.Event): BillingEvent {
  const object: unknown = event.data.object;
  const objectType = textOf(object, 'object');
  const objectId = textOf(object, 'id');
  return {
    eventId: event.id,
    type: event.type,
    createdAt: new Date(event.created * 1_000),
    livemode: event.livemode,
    apiVersion: event.api_version,
    objectType,
    objectId,
    stripeCustomerId: objectType === 'customer' ? objectId : textOf(object, 'customer'),
  };
}

function textOf(holder: unknown, name: string): string | null {
  if (typeof holder !== 'object' || holder === null) return null;
  const value = (holder as Record<string, unknown>)[name];
  return typeof value === 'string' && value !== '' && value.length <= 255 ? value : null;
}

function chunk<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
