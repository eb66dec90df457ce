import type Stripe from 'stripe';
import { DAY_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { type Form, readInteger, readNested, readText, requireMap, requireText } from './http/form.ts';
import { refuseParameter, StripeRefusal } from './http/refusal.ts';
import { toSeconds, type Wire } from './http/wire.ts';
import type { StripeState } from './state.ts';
import type { UsageEvent } from './usage.ts';

/** How far back and ahead an event may be (Stripe's meter event reference). */
const PAST_LIMIT_MS = 35 * DAY_MS;
const FUTURE_LIMIT_MS = 5 * MINUTE_MS;
/** "Within a rolling period of at least 24 hours": the least that is promised. */
const IDENTIFIER_WINDOW_MS = DAY_MS;
const MAX_IDENTIFIER_LENGTH = 100;
const MAX_VALUE_DIGITS = 15;
const WHOLE = /^-?\d+$/;

export type WireMeterEvent = Wire<Stripe.Billing.MeterEvent>;

/** A meter event that passed the synchronous checks. */
export interface AcceptedMeterEvent {
  identifier: string;
  eventName: string;
  payload: Record<string, string>;
  timestampSeconds: number;
}

/** What Stripe may find wrong with an event that it has accepted; told by an error report. */
export const LATE_REFUSALS = [
  'no_meter',
  'archived_meter',
  'meter_event_customer_not_found',
  'meter_event_invalid_value',
  'meter_event_no_customer_defined',
  'missing_dimension_payload_keys',
  'timestamp_too_far_in_past',
] as const;

export type LateRefusal = (typeof LATE_REFUSALS)[number];
/** Accepted and not counted: without a word, or reported later. */
export type MeterEventLoss = 'dropped' | LateRefusal;
/** What became of an accepted event. All were answered 2xx. */
export type MeterEventFate = 'stored' | MeterEventLoss;

/** Accepts, refuses and keeps meter events as v1 does. */
export class MeterEventIntake {
  readonly #state: StripeState;
  readonly #byIdentifier = new Map<string, { receivedMs: number; event: UsageEvent | null }>();

  constructor(state: StripeState) {
    this.#state = state;
  }

  /** @throws StripeRefusal for what Stripe refuses while the caller waits */
  check(form: Form, nowMs: number): AcceptedMeterEvent {
    const eventName = requireText(form, 'event_name');
    const payload = requireMap(form, 'payload');
    const identifier = readText(form, 'identifier') ?? crypto.randomUUID();
    if (identifier.length > MAX_IDENTIFIER_LENGTH) {
      throw refuseParameter(
        'identifier',
        `Invalid string: must be at most ${MAX_IDENTIFIER_LENGTH} characters`,
        'parameter_invalid_string',
      );
    }
    const timestampSeconds = readInteger(form, 'timestamp') ?? toSeconds(nowMs);
    if (timestampSeconds * 1_000 < nowMs - PAST_LIMIT_MS) {
      throw refuseParameter(
        'timestamp',
        'The timestamp must be within the past 35 days.',
        'timestamp_too_far_in_past',
      );
    }
    if (timestampSeconds * 1_000 > nowMs + FUTURE_LIMIT_MS) {
      throw refuseParameter(
        'timestamp',
        'The timestamp must be at most 5 minutes in the future.',
        'timestamp_in_future',
      );
    }
    const meter = this.#state.activeMeters.get(eventName);
    checkDigits(payload[meter?.value_settings.event_payload_key ?? 'value']);
    const known = this.#byIdentifier.get(identifier);
    if (known !== undefined && nowMs - known.receivedMs < IDENTIFIER_WINDOW_MS) {
      throw new StripeRefusal(
        400,
        {
          code: 'duplicate_meter_event',
          message: `An event already exists with identifier ${identifier}.`,
          param: 'identifier',
        },
        { 'stripe-should-retry': 'false' },
      );
    }
    return { identifier, eventName, payload, timestampSeconds };
  }

  /** Takes an accepted event in. What it then cannot be counted for is found out too late to refuse it. */
  take(accepted: AcceptedMeterEvent, receivedMs: number, loss: MeterEventLoss | null): MeterEventFate {
    const { state, event, fate } = this.#resolve(accepted, receivedMs, loss);
    if (event !== null) state.usage.add(event);
    this.#byIdentifier.set(accepted.identifier, { receivedMs, event });
    return fate;
  }

  /** @throws StripeRefusal when it is unknown or older than 24 hours */
  cancel(form: Form, nowMs: number): Wire<Stripe.Billing.MeterEventAdjustment> {
    const eventName = requireText(form, 'event_name');
    const type = requireText(form, 'type');
    if (type !== 'cancel') throw refuseParameter('type', 'Invalid type: must be cancel');
    const identifier = requireText(readNested(form, 'cancel'), 'identifier');
    const known = this.#byIdentifier.get(identifier);
    if (known === undefined || known.event === null) {
      throw refuseParameter(
        'cancel[identifier]',
        `No event with identifier ${identifier} exists.`,
        'resource_missing',
      );
    }
    if (nowMs - known.receivedMs > IDENTIFIER_WINDOW_MS) {
      throw refuseParameter('cancel[identifier]', 'Events can be cancelled within 24 hours of receipt.');
    }
    known.event.cancelled = true;
    return {
      object: 'billing.meter_event_adjustment',
      cancel: { identifier },
      event_name: eventName,
      livemode: false,
      status: 'complete',
      type: 'cancel',
    };
  }

  #resolve(accepted: AcceptedMeterEvent, receivedMs: number, loss: MeterEventLoss | null) {
    const state = this.#state;
    const meter = state.activeMeters.get(accepted.eventName);
    if (meter === undefined) {
      const archived = [...state.meters.values()].some((known) => known.event_name === accepted.eventName);
      return { state, event: null, fate: archived ? ('archived_meter' as const) : ('no_meter' as const) };
    }
    const customerId = accepted.payload[meter.customer_mapping.event_payload_key] ?? '';
    if (customerId === '') return { state, event: null, fate: 'meter_event_no_customer_defined' as const };
    if (!state.customers.has(customerId)) {
      return { state, event: null, fate: 'meter_event_customer_not_found' as const };
    }
    const value = accepted.payload[meter.value_settings.event_payload_key] ?? '';
    if (!WHOLE.test(value)) return { state, event: null, fate: 'meter_event_invalid_value' as const };
    if (loss !== null) return { state, event: null, fate: loss };
    const event: UsageEvent = {
      identifier: accepted.identifier,
      customerId,
      meterId: meter.id,
      timestampSeconds: accepted.timestampSeconds,
      value: BigInt(value),
      receivedMs,
      cancelled: false,
    };
    return { state, event, fate: 'stored' as const };
  }
}

export function renderMeterEvent(accepted: AcceptedMeterEvent, receivedMs: number): WireMeterEvent {
  return {
    object: 'billing.meter_event',
    created: toSeconds(receivedMs),
    event_name: accepted.eventName,
    identifier: accepted.identifier,
    livemode: false,
    payload: accepted.payload,
    timestamp: accepted.timestampSeconds,
  };
}

/** Of what is wrong with a payload, Stripe's changelog names this alone as refused while the caller waits. */
function checkDigits(value: string | undefined): void {
  if (value === undefined || !WHOLE.test(value)) return;
  if (value.replace(/^-?0*/, '').length > MAX_VALUE_DIGITS) {
    throw refuseParameter(
      'payload[value]',
      `The value must have at most ${MAX_VALUE_DIGITS} digits.`,
      'meter_event_value_too_many_digits',
    );
  }
}
