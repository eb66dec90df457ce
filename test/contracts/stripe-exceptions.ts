import type { KnownDeviation, RouteBeyond, StripeContractOptions } from './stripe-contract.ts';
import { READ } from './stripe-fields/lists.ts';

const LATER_VERSION = 'described later than stripe-mock is of; the SDK types it';
const EARLIER_VERSION = 'the present version of the API has none: an earlier one is asked for by name';

/** Routes that Stripe's published description of version 1 of its API does not have. */
const BEYOND: Readonly<Record<string, RouteBeyond>> = {
  'GET /v2/core/events/{id}': {
    reason: 'version 2 of the API is described apart, and not by stripe-mock',
    answerType:
      'Stripe.Events.V1BillingMeterErrorReportTriggeredEvent | Stripe.Events.V1BillingMeterNoMeterFoundEvent',
  },
  'POST /v1/subscriptions/{subscription}/pause': { reason: LATER_VERSION, answerType: 'Stripe.Subscription' },
  'POST /v1/subscriptions/{subscription}/resume': {
    reason: LATER_VERSION,
    answerType: 'Stripe.Subscription',
  },
  'POST /v1/subscription_items/{id}/usage_records': { reason: EARLIER_VERSION, answerType: null },
  'GET /v1/subscription_items/{id}/usage_record_summaries': { reason: EARLIER_VERSION, answerType: null },
};

/** What is known to be otherwise than described. One that is no longer seen must go. */
const DEVIATIONS: readonly KnownDeviation[] = [
  {
    problem: /\/v1\/subscription_schedules\S* answered 200: \S*\.pause_schedules is unknown$/,
    reason: LATER_VERSION,
    isOnlyRecorded: true,
  },
  {
    problem: /answered 200: \S*\.recurring\.trial_period_days is unknown$/,
    reason: 'the SDK types it (Stripe.Price.Recurring), the description leaves it out',
  },
  {
    problem: /^\S+ \/v1\/(price|product|subscription)\S* answered 200: \S*\.(tax_details|type) is unknown$/,
    reason: 'the SDK types both (Stripe.Product), the description leaves them out',
  },
  {
    problem: /answered 200: (\S*\.data\[\])?\.(current_trial|plan) is unknown$/,
    reason: 'the SDK types both (Stripe.SubscriptionItem), the description leaves them out',
  },
  {
    problem: /^GET \/v2\/core\/events\/\{id\} answered 200: Type 'null' is not assignable/,
    reason: 'version 2 writes null for what the SDK types as absent: `context` and `reason` of an event',
  },
  {
    problem: /^GET \/v1\/customers is read: data\[\]\.deleted is not in the description$/,
    reason: 'customers of a list are read by what also reads single ones, which may be deleted',
  },
  {
    problem: /\/v1\/invoices\S* is read: (data\[\]\.)?deleted is not in the description$/,
    reason:
      'a deleted draft is a 404; should it come as other deleted objects do, it is not taken for an invoice',
  },
];

/** What the product asks, and all exceptions. */
export const STRIPE_OPTIONS: StripeContractOptions = {
  routes: Object.keys(READ),
  deviations: DEVIATIONS,
  beyond: BEYOND,
};
