import type Stripe from 'stripe';
import { DAY_MS } from '../../../src/platform/clock.ts';
import { type Form, type FormShape, readList, readRange, readText, requireText } from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import { refuseParameter, refuseUnknown } from '../http/refusal.ts';
import { toSeconds, type WireWebhookEndpoint } from '../http/wire.ts';
import type { StripeState } from '../state.ts';
import { type Endpoint, found, idOf, retrieve } from './endpoint.ts';

/** "Going back up to 30 days." */
const EVENTS_KEPT_MS = 30 * DAY_MS;
const MAX_TYPES = 20;

/** Events, snapshot and thin, and the addresses they are sent to. */
export function eventEndpoints(state: StripeState): Endpoint[] {
  const snapshots = () => [...state.events.values()].filter((event) => !event.thin);
  return [
    {
      method: 'GET',
      path: '/v1/events',
      shape: {
        ...PAGING_SHAPE,
        created: 'any',
        type: 'text',
        types: 'any',
      } satisfies FormShape<Stripe.EventListParams>,
      mutates: false,
      run: ({ form, nowMs }) => {
        const isAsked = readTypes(form);
        const created = readRange(form, 'created');
        const events = snapshots().filter((event) => {
          const at = Number(event.body.created);
          return at * 1_000 > nowMs - EVENTS_KEPT_MS && created(at) && isAsked(event.type);
        });
        const page = toPage(events, form, '/v1/events');
        return { ...page, data: page.data.map((event) => event.body) };
      },
    },
    retrieve('/v1/events/:id', (id) => eventBody(state, id, false)),
    retrieve('/v2/core/events/:id', (id) => eventBody(state, id, true)),
    {
      method: 'GET',
      path: '/v1/webhook_endpoints',
      shape: PAGING_SHAPE,
      mutates: false,
      run: ({ form }) =>
        toPage([...state.webhookEndpoints.values()].map(withoutSecret), form, '/v1/webhook_endpoints'),
    },
    {
      method: 'POST',
      path: '/v1/webhook_endpoints',
      shape: {
        url: 'text',
        enabled_events: 'any',
        description: 'text',
        expand: 'any',
      } satisfies FormShape<Stripe.WebhookEndpointCreateParams>,
      mutates: true,
      run: ({ form, nowMs }) => {
        const enabled = form.enabled_events;
        return newWebhookEndpoint(state, {
          url: requireText(form, 'url'),
          enabledEvents: Array.isArray(enabled) ? enabled.map(String) : ['*'],
          secret: null,
          created: toSeconds(nowMs),
        });
      },
    },
    {
      method: 'DELETE',
      path: '/v1/webhook_endpoints/:id',
      shape: {},
      mutates: true,
      run: (call) => {
        const endpoint = found(state.webhookEndpoints, 'webhook endpoint', idOf(call));
        state.webhookEndpoints.delete(endpoint.id);
        return {
          id: endpoint.id,
          object: 'webhook_endpoint',
          deleted: true,
        } satisfies Stripe.DeletedWebhookEndpoint;
      },
    },
  ];
}

/** By `type`, whose `*` stands for anything, or by `types`. @throws StripeRefusal */
function readTypes(form: Form): (type: string) => boolean {
  const type = readText(form, 'type');
  const types = readList(form, 'types');
  if (type !== undefined && types !== null) {
    throw refuseParameter('types', 'You may pass either type or types.', 'parameters_exclusive');
  }
  if ((types?.length ?? 0) > MAX_TYPES) {
    throw refuseParameter('types', `Array must have at most ${MAX_TYPES} elements`);
  }
  if (types !== null) return (known) => types.includes(known);
  if (type === undefined) return () => true;
  const [before = '', after] = type.split('*');
  return (known) =>
    after === undefined ? known === type : known.startsWith(before) && known.endsWith(after);
}

function eventBody(state: StripeState, id: string, thin: boolean): object {
  const event = state.events.get(id);
  if (event === undefined || event.thin !== thin) throw refuseUnknown('event', id);
  return event.body;
}

export interface NewWebhookEndpoint {
  url: string;
  enabledEvents: string[];
  /** Null: one is made, and shown only in this answer. */
  secret: string | null;
  created: number;
}

export function newWebhookEndpoint(state: StripeState, input: NewWebhookEndpoint): WireWebhookEndpoint {
  const id = state.nextId('we');
  const endpoint: WireWebhookEndpoint = {
    id,
    object: 'webhook_endpoint',
    api_version: null,
    application: null,
    created: input.created,
    description: null,
    enabled_events: input.enabledEvents,
    livemode: false,
    metadata: {},
    secret: input.secret ?? state.nextId('whsec'),
    status: 'enabled',
    url: input.url,
  };
  state.webhookEndpoints.set(id, endpoint);
  return endpoint;
}

function withoutSecret({ secret: _secret, ...endpoint }: WireWebhookEndpoint): WireWebhookEndpoint {
  return endpoint;
}
