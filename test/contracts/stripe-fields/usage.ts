import type { ReadObject } from './read-object.ts';

/** Meters, what is sent to them, and what Stripe tells of it. */
export const USAGE: readonly ReadObject[] = [
  {
    object: 'meter',
    at: ['GET /v1/billing/meters data[]', 'GET /v1/billing/meters/{id}', 'POST /v1/billing/meters'],
    fields: [
      'customer_mapping.event_payload_key',
      'default_aggregation.formula',
      'display_name',
      'event_name',
      'event_time_window',
      'id',
      'status',
      'value_settings.event_payload_key',
    ],
  },
  {
    object: 'event summary',
    at: ['GET /v1/billing/meters/{id}/event_summaries data[]'],
    fields: ['aggregated_value', 'start_time'],
  },
  {
    object: 'meter event, or usage record, that is sent',
    at: ['POST /v1/billing/meter_events', 'POST /v1/subscription_items/{id}/usage_records'],
    fields: [],
  },
  {
    object: 'error report',
    at: ['GET /v2/core/events/{id}'],
    fields: [
      'data.reason.error_types[].code',
      'data.reason.error_types[].sample_errors[].request.identifier',
    ],
  },
  { object: 'list of events', at: ['GET /v1/events'], fields: ['has_more'] },
  {
    object: 'event',
    at: ['GET /v1/events data[]'],
    fields: [
      'api_version',
      'created',
      'data.object.customer',
      'data.object.id',
      'data.object.object',
      'id',
      'livemode',
      'type',
    ],
  },
];
