import type { ApiDependencies } from '../platform/http/dependencies.ts';
import type { BillingInvoice, BillingSystem } from '../stripe/port.ts';
import type { StripeCredits } from './stripe-credits.ts';

/** Stripe's previews of the last moments, by subscription. Plain data, so it may outlive a request. */
export type PreviewCache = Map<string, { invoice: BillingInvoice; credits: StripeCredits; readAt: Date }>;

/** What previews need beside what every route does. */
export interface PreviewDependencies extends ApiDependencies {
  billing: BillingSystem;
  /** Where Stripe's previews are kept for a few seconds. */
  previewCache: PreviewCache;
  /** How long Stripe's word serves, and how long it is waited for; unless given, as for who asks the API. */
  stripePatience?: { maxAgeMs: number; waitMs: number };
}
