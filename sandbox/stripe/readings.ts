/** What Stripe's documents leave open, where an option of the stand-in says which reading is played. */

/**
 * What period a line says that a threshold made: from the last one until now, or the whole service period. Stripe's page
 * (docs.stripe.com/billing/subscriptions/usage-based/thresholds) has quantities and amounts, and not the period.
 */
export type ThresholdPeriods = 'slices' | 'whole';

/**
 * What is available of billing credits that stand on a draft: what the ledger has, or (the page says: "might") less
 * (docs.stripe.com/billing/subscriptions/usage-based/billing-credits, "Available balance versus ledger balance").
 */
export type CreditsOnDrafts = 'available' | 'taken';

/**
 * Which grants a summary by `price_type` counts: those with that scope, or all that can be for such prices. The reference
 * (docs.stripe.com/api/billing/credit-balance-summary/retrieve) can be read both ways.
 */
export type CreditScopes = 'same' | 'applicable';

/**
 * What quantity the line of a price by the package says: the units that were used, or the packages that they make. The page
 * (docs.stripe.com/billing/subscriptions/usage-based/manage-billing) has amounts alone.
 */
export type PackageQuantities = 'units' | 'packages';
