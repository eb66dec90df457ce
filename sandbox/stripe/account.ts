import type { StripeState } from './state.ts';

/** What the happenings of an account are played with. */
export interface BillingAccount {
  state: StripeState;
  /** How long a draft waits before it finalizes itself. */
  gracePeriodHours: number;
  /** Invoices see a meter event so long after it was received. */
  aggregationDelayMs: number;
  draftQuantities: DraftQuantities;
  /** Records an event and sends it to the webhooks. */
  emit: Emit;
}

export type DraftQuantities = 'follow' | 'stand_still';

/**
 * What period a line says that a threshold made: from the last one until now, or the whole service period. Stripe's page
 * (docs.stripe.com/billing/subscriptions/usage-based/thresholds) has quantities and amounts, and not the period.
 */
export type ThresholdPeriods = 'slices' | 'whole';

/**
 * What quantity the line of a price by the package says: the units that were used, or the packages that they make. The page
 * (docs.stripe.com/billing/subscriptions/usage-based/manage-billing) has amounts alone.
 */
export type PackageQuantities = 'units' | 'packages';

type Emit = (type: string, object: object, atMs: number) => void;
