/**
 * Why a customer is not invoiced early, in an order of what is said first: there is no subscription with metered items of ours; it is
 * in a trial, or its collection is paused; its period ends within a day, before which Stripe looks at no threshold; somebody else has
 * set a threshold, which bills by itself; Stripe refuses; invoices are left to Stripe here (`CLOSE_INVOICES`).
 */
export const CANNOT_BILL_REASONS = [
  'no_subscription',
  'in_trial',
  'paused',
  'period_ends_soon',
  'has_threshold',
  'refused_by_stripe',
  'closing_is_off',
] as const;
export type CannotBillReason = (typeof CANNOT_BILL_REASONS)[number];

/** Why it ended without an invoice of its own. */
export const EARLY_BILL_ENDS = ['withdrawn', 'period_is_over', 'with_another'] as const;
export type EarlyBillEnd = (typeof EARLY_BILL_ENDS)[number];

/** `asking`, `asked`: what Stripe has of usage is invoiced with the next that reaches it. */
export const EARLY_BILL_STATES = ['wanted', 'asking', 'asked', 'billed', 'ended', 'cannot'] as const;
export type EarlyBillState = (typeof EARLY_BILL_STATES)[number];

const REASON_WORDS: Record<CannotBillReason | EarlyBillEnd, string> = {
  no_subscription: 'it has no subscription with metered items',
  in_trial: 'its subscription is in a trial',
  paused: 'collection of its subscription is paused',
  period_ends_soon: 'its period ends within a day, and is invoiced then',
  has_threshold: 'somebody has set a billing threshold at Stripe, which bills by itself',
  refused_by_stripe: 'Stripe refuses a billing threshold',
  closing_is_off: 'invoices are left to Stripe here',
  withdrawn: 'the step was withdrawn before Stripe made an invoice',
  period_is_over: 'nothing more was used before the period ended',
  with_another: 'another step was billing it already',
};

/** Where one stands, without its invoice. */
export function earlyBillInWords({
  state,
  reason,
}: {
  state: EarlyBillState;
  reason: CannotBillReason | EarlyBillEnd | null;
}): string {
  if (reason !== null) return `not invoiced early: ${REASON_WORDS[reason]}`;
  return state === 'billed' ? 'invoiced' : 'asked for; Stripe invoices it with the next usage';
}

/** Stripe evaluates thresholds until so long before a period's end (docs.stripe.com/billing/subscriptions/usage-based/thresholds). */
const LAST_MS = 86_400_000;
/** The least that Stripe takes as a threshold, in minor units. */
const LEAST_MINOR = 50n;

/** What is known of a subscription before Stripe is asked. */
export interface BilledEarlySubscription {
  trialEndsAt: Date | null;
  isPaused: boolean;
  periodEnd: Date;
}

/** Whether a subscription cannot be billed early, as far as the ledger knows; null: it can. */
export function whyNotEarly(
  { trialEndsAt, isPaused, periodEnd }: BilledEarlySubscription,
  now: Date,
): CannotBillReason | null {
  if (trialEndsAt !== null && trialEndsAt > now) return 'in_trial';
  if (isPaused) return 'paused';
  return isLastDay(periodEnd, now) ? 'period_ends_soon' : null;
}

export function isLastDay(periodEnd: Date, now: Date): boolean {
  return periodEnd.getTime() - now.getTime() <= LAST_MS;
}

/**
 * From which amount on Stripe makes the invoice: half of what is known to be unbilled, so that what is still on its way to Stripe
 * holds up nothing, and a second invoice, before the threshold is taken away, would need as much again.
 * @param unbilledMinor null: nobody knows
 */
export function thresholdFor(unbilledMinor: bigint | null): bigint {
  const half = (unbilledMinor ?? 0n) / 2n;
  return half > LEAST_MINOR ? half : LEAST_MINOR;
}
