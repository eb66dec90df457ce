/** What a price charges: one amount per unit, or tiers. Amounts are decimal text in minor units. */
export type PriceScheme =
  | { unitAmountDecimal: string }
  | { tiersMode: 'graduated' | 'volume'; tiers: readonly TierInput[] };

export interface TierInput {
  /** Inclusive; null: without end. */
  upTo: number | null;
  unitAmountDecimal: string | null;
  /** A whole number of minor units; zero is not the same as null: it gets a line of its own. */
  flatAmountDecimal: string | null;
}
