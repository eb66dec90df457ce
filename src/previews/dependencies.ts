import type { ApiDependencies } from '../platform/http/dependencies.ts';
import type { BillingInvoice, BillingSystem } from '../stripe/port.ts';
import type { StripeCredits } from './stripe-credits.ts';

/** What Stripe answered last, and that it does not answer. Plain data, so it may outlive a request. */
export interface KeptAnswer {
  preview?: { invoice: BillingInvoice; credits: StripeCredits; readAt: Date };
  /** The newest attempt, where it failed. */
  failure?: { at: Date; reason: string };
}

/** Stripe's answers of the last moments: previews by their subscription, failures also by the id of an invoice. */
export type PreviewCache = Map<string, KeptAnswer>;

/** How Stripe is asked for somebody. */
export interface StripePatience {
  /** How old its word may be before it is asked anew. */
  maxAgeMs: number;
  /** How long its answer is waited for. */
  waitMs: number;
  /** How long it is left alone after it failed. */
  retryAfterMs: number;
  /** How old its word may be where a new one is not to be had. */
  keptMs: number;
  /** Whether it is the customer who asks: then reads count for that customer, too. */
  isCustomer: boolean;
}

/** Who asks the API. */
export const USUAL_PATIENCE: StripePatience = {
  maxAgeMs: 30_000,
  waitMs: 10_000,
  retryAfterMs: 0,
  keptMs: 0,
  isCustomer: false,
};

/**
 * Whoever opens a page that was sent to a customer. It does not wait as long as a program may, and takes an older word: what Stripe
 * does not count yet the ledger adds in any case. Loaded again and again, it asks no more often, whether Stripe answers or not.
 */
export const CUSTOMER_PATIENCE: StripePatience = {
  maxAgeMs: 10 * 60_000,
  waitMs: 1_500,
  retryAfterMs: 60_000,
  keptMs: 24 * 3_600_000,
  isCustomer: true,
};

/** What previews need beside what every route does. */
export interface PreviewDependencies extends ApiDependencies {
  billing: BillingSystem;
  previewCache: PreviewCache;
  /** Unless given, as for who asks the API. */
  stripePatience?: StripePatience;
}
