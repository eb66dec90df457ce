/** One tier of a tiered price. Amounts are decimal text in minor units, at most 12 decimals, as Stripe's are. */
export interface PriceTier {
  /** Last quantity of the tier, inclusive; null: without end. */
  upTo: bigint | null;
  unitAmountDecimal: string;
  /** Charged once when the tier is entered; null: nothing. */
  flatAmountDecimal: string | null;
}

/**
 * What a quantity is charged. `graduated`: each tier's part at its own price. `volume`: all of it at the price of
 * the tier that the total falls into. An included allowance is a first tier at 0.
 */
export type RatePrice =
  | { kind: 'per_unit'; unitAmountDecimal: string }
  | { kind: 'tiered'; mode: 'graduated' | 'volume'; tiers: readonly PriceTier[] };
