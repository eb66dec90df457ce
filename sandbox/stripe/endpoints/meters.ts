import type Stripe from 'stripe';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/platform/clock.ts';
import { type FormShape, readInteger, readNested, readText, requireText } from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import { refuseMissing, refuseParameter } from '../http/refusal.ts';
import { toSeconds, type Wire } from '../http/wire.ts';
import type { MeterEventIntake } from '../meter-events.ts';
import { newMeter } from '../objects.ts';
import type { StripeState } from '../state.ts';
import { type Call, type Endpoint, found, idOf, retrieve } from './endpoint.ts';

export interface MeterEndpointsOptions {
  state: StripeState;
  intake: MeterEventIntake;
  aggregationDelayMs: number;
  /** Event summaries show only what came until then, whatever the delay; Infinity: they do not stand still. */
  summariesUntilMs: number;
}

/** Meters, their event summaries, and the cancelling of meter events. */
export function meterEndpoints(options: MeterEndpointsOptions): Endpoint[] {
  const { state, intake } = options;
  return [
    {
      method: 'GET',
      path: '/v1/billing/meters',
      shape: { ...PAGING_SHAPE, status: 'text' } satisfies FormShape<Stripe.Billing.MeterListParams>,
      mutates: false,
      run: ({ form }) => {
        const status = readText(form, 'status');
        const meters = [...state.meters.values()].filter(
          (meter) => status === undefined || meter.status === status,
        );
        return toPage(meters, form, '/v1/billing/meters');
      },
    },
    {
      method: 'POST',
      path: '/v1/billing/meters',
      shape: {
        display_name: 'text',
        event_name: 'text',
        event_time_window: 'text',
        default_aggregation: { formula: 'text' },
        customer_mapping: { event_payload_key: 'text', type: 'text' },
        value_settings: { event_payload_key: 'text' },
        expand: 'any',
      } satisfies FormShape<Stripe.Billing.MeterCreateParams>,
      mutates: true,
      run: (call) => createMeter(state, call),
    },
    retrieve('/v1/billing/meters/:id', (id) => found(state.meters, 'billing.meter', id)),
    {
      method: 'POST',
      path: '/v1/billing/meters/:id',
      shape: { display_name: 'text', expand: 'any' } satisfies FormShape<Stripe.Billing.MeterUpdateParams>,
      mutates: true,
      run: (call) => {
        const meter = found(state.meters, 'billing.meter', idOf(call));
        meter.display_name = readText(call.form, 'display_name') ?? meter.display_name;
        meter.updated = toSeconds(call.nowMs);
        return meter;
      },
    },
    {
      method: 'POST',
      path: '/v1/billing/meters/:id/deactivate',
      shape: { expand: 'any' } satisfies FormShape<Stripe.Billing.MeterDeactivateParams>,
      mutates: true,
      run: (call) => {
        const meter = found(state.meters, 'billing.meter', idOf(call));
        meter.status = 'inactive';
        meter.status_transitions = { deactivated_at: toSeconds(call.nowMs) };
        meter.updated = toSeconds(call.nowMs);
        if (state.activeMeters.get(meter.event_name) === meter) state.activeMeters.delete(meter.event_name);
        return meter;
      },
    },
    {
      method: 'POST',
      path: '/v1/billing/meters/:id/reactivate',
      shape: { expand: 'any' } satisfies FormShape<Stripe.Billing.MeterReactivateParams>,
      mutates: true,
      run: (call) => {
        const meter = found(state.meters, 'billing.meter', idOf(call));
        if (state.activeMeters.has(meter.event_name)) {
          throw refuseParameter('event_name', 'An active meter has this event name already.');
        }
        meter.status = 'active';
        meter.status_transitions = { deactivated_at: null };
        meter.updated = toSeconds(call.nowMs);
        state.activeMeters.set(meter.event_name, meter);
        return meter;
      },
    },
    {
      method: 'GET',
      path: '/v1/billing/meters/:id/event_summaries',
      shape: {
        ...PAGING_SHAPE,
        customer: 'text',
        start_time: 'text',
        end_time: 'text',
        value_grouping_window: 'text',
      } satisfies FormShape<Stripe.Billing.MeterListEventSummariesParams>,
      mutates: false,
      run: (call) =>
        listSummaries(
          state,
          call,
          Math.min(call.nowMs - options.aggregationDelayMs, options.summariesUntilMs),
        ),
    },
    {
      method: 'POST',
      path: '/v1/billing/meter_event_adjustments',
      shape: {
        event_name: 'text',
        type: 'text',
        cancel: { identifier: 'text' },
        expand: 'any',
      } satisfies FormShape<Stripe.Billing.MeterEventAdjustmentCreateParams>,
      mutates: true,
      run: ({ form, nowMs }) => intake.cancel(form, nowMs),
    },
  ];
}

function createMeter(state: StripeState, { form, nowMs }: Call): object {
  const eventName = requireText(form, 'event_name');
  if (eventName.length > 100) throw refuseParameter('event_name', 'must be at most 100 characters');
  if (state.activeMeters.has(eventName)) {
    throw refuseParameter('event_name', `An active meter with event name ${eventName} already exists.`);
  }
  const formula = requireText(readNested(form, 'default_aggregation'), 'formula');
  if (!['sum', 'count', 'last'].includes(formula)) {
    throw refuseParameter('default_aggregation[formula]', `Invalid formula: ${formula}`);
  }
  const eventTimeWindow = readText(form, 'event_time_window') ?? null;
  if (eventTimeWindow !== null && eventTimeWindow !== 'hour' && eventTimeWindow !== 'day') {
    throw refuseParameter('event_time_window', `Invalid window: ${eventTimeWindow}`);
  }
  return newMeter(state, {
    eventName,
    displayName: requireText(form, 'display_name'),
    formula,
    eventTimeWindow,
    customerKey: readText(readNested(form, 'customer_mapping'), 'event_payload_key') ?? 'stripe_customer_id',
    valueKey: readText(readNested(form, 'value_settings'), 'event_payload_key') ?? 'value',
    created: toSeconds(nowMs),
  });
}

function listSummaries(state: StripeState, call: Call, receivedUntilMs: number): object {
  const { form } = call;
  const meter = found(state.meters, 'billing.meter', idOf(call));
  const customerId = requireText(form, 'customer');
  found(state.customers, 'customer', customerId);
  const startSeconds = requireInteger(call, 'start_time');
  const endSeconds = requireInteger(call, 'end_time');
  if (endSeconds <= startSeconds) throw refuseParameter('end_time', 'must be after start_time');
  const grouping = readText(form, 'value_grouping_window');
  if (grouping !== undefined && grouping !== 'hour' && grouping !== 'day') {
    throw refuseParameter('value_grouping_window', `Invalid window: ${grouping}`);
  }
  const alignmentMs = grouping === 'day' ? DAY_MS : grouping === 'hour' ? HOUR_MS : MINUTE_MS;
  for (const [name, seconds] of [
    ['start_time', startSeconds],
    ['end_time', endSeconds],
  ] as const) {
    if ((seconds * 1_000) % alignmentMs !== 0) {
      throw refuseParameter(name, `must be aligned to ${alignmentMs / MINUTE_MS} minutes`);
    }
  }
  const range = { startSeconds, endSeconds, receivedUntilMs };
  const windowSeconds = grouping === undefined ? endSeconds - startSeconds : alignmentMs / 1_000;
  const totals =
    grouping === undefined
      ? new Map([[startSeconds, state.usage.aggregate(customerId, meter, range)]])
      : state.usage.aggregateByWindow(customerId, meter, range, windowSeconds);
  const summaries = [...totals]
    .sort(([one], [other]) => one - other)
    .map(
      ([start, value]): Wire<Stripe.Billing.MeterEventSummary> => ({
        id: `mtrusg_test_${meter.id.slice(-14)}${start.toString(36)}`,
        object: 'billing.meter_event_summary',
        aggregated_value: Number(value),
        end_time: start + windowSeconds,
        livemode: false,
        meter: meter.id,
        start_time: start,
      }),
    );
  return toPage(summaries, form, `/v1/billing/meters/${meter.id}/event_summaries`);
}

function requireInteger(call: Call, name: string): number {
  const value = readInteger(call.form, name);
  if (value === undefined) throw refuseMissing(name);
  return value;
}
