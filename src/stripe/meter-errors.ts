import type Stripe from 'stripe';
import type { BillingMeterError } from './port.ts';
import { type RetryPolicy, withRetry } from './retry.ts';

const REPORT_TYPES = ['v1.billing.meter.error_report_triggered', 'v1.billing.meter.no_meter_found'] as const;
const CODE = /^[a-z0-9_]{1,60}$/;

/**
 * The samples of one report of errors. They name the idempotency key of a request, which is the event's identifier,
 * after an answered 5xx with a suffix behind a dot (see `sendMeterEvent`).
 * @throws UpstreamError UPSTREAM_REJECTED when Stripe has no such event
 */
export async function readMeterErrors(
  stripe: Stripe,
  policy: RetryPolicy,
  eventId: string,
  signal?: AbortSignal,
): Promise<BillingMeterError[]> {
  const call = { action: 'read a report of meter errors', writes: false, context: { eventId } };
  const event = await withRetry(policy, call, () => stripe.v2.core.events.retrieve(eventId), signal);
  if (!isReport(event)) return [];
  return event.data.reason.error_types.flatMap(({ code, sample_errors }) =>
    sample_errors.flatMap(({ request }) => {
      const [identifier = ''] = request.identifier.split('.');
      return identifier === '' ? [] : [{ identifier, code: CODE.test(code) ? code : 'unknown' }];
    }),
  );
}

type Report =
  | Stripe.Events.V1BillingMeterErrorReportTriggeredEvent
  | Stripe.Events.V1BillingMeterNoMeterFoundEvent;

function isReport(event: { type: string }): event is Report {
  return (REPORT_TYPES as readonly string[]).includes(event.type);
}
