/** What Stripe's documents leave open, where an option of the stand-in says which reading is played. */

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
