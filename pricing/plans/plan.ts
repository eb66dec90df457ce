import type { DeploymentType } from '../prices/rows.ts';
import type { TokenType } from '../usage/tokens.ts';

/** A tier as a plan writes it: amounts in the currency's unit, `perMillion` for a million tokens. */
export interface PlanTier {
  /** Quantity above which the tier begins; null: where the one before ends. Written to be checked, no more. */
  from: bigint | null;
  /** Last quantity of the tier, inclusive; null: without end. */
  upTo: bigint | null;
  perMillion: string;
  /** Charged once when the tier is entered, in whole minor units; null: nothing. */
  flat: string | null;
}

/** How a rate prices its usage. */
export type PlanPrice =
  | { kind: 'per_million'; amount: string }
  /** On what the price book says the tokens cost us. Percent null: the plan's markup, else the global one. */
  | { kind: 'markup'; percent: string | null; deploymentType: DeploymentType }
  | { kind: 'tiered'; mode: 'graduated' | 'volume'; tiers: readonly PlanTier[] };

/** One rate: which usage (`*` matches any), and what it is charged. */
export interface PlanRate {
  model: string;
  feature: string;
  /** `*` only with a markup, which has a price of its own for each token type. */
  tokenType: TokenType | '*';
  price: PlanPrice;
  /** Tokens of each billing period that cost nothing; null: none. */
  includedTokens: bigint | null;
}

/** What a plan charges from an instant on. A version that is in force is never changed; a new one follows it. */
export interface PlanVersion {
  /** Date and content, unique for good: `2026-01-01-3f9a1c07`. */
  versionId: string;
  /** ISO instant. It applies to a subscription from the first billing period that starts then or later. */
  effectiveFrom: string;
  note: string | null;
  /** For rates by markup that state none of their own; null: the global markup. */
  markupPercent: string | null;
  /** What a billing period costs at least, in the currency's unit; null: nothing. */
  minimum: string | null;
  /** Whether its prices are with tax; null: as the Stripe account says. */
  taxBehavior: TaxBehavior | null;
  /** What Stripe Tax takes its products for (`txcd_…`); null: as the account says. */
  taxCode: string | null;
  rates: readonly PlanRate[];
}

export type TaxBehavior = 'exclusive' | 'inclusive';

/** The markup of plans that state none, from an instant on. */
export interface GlobalMarkup {
  effectiveFrom: string;
  markupPercent: string;
}

/** Sell prices under one name and in one currency. */
export interface Plan {
  planId: string;
  name: string;
  /** Lower case. */
  currency: string;
  /** Features that rates may name although no usage has shown them yet. */
  features: readonly string[];
  /** Oldest first. */
  versions: readonly PlanVersion[];
  /** Of the house, oldest first. */
  globalMarkups: readonly GlobalMarkup[];
}

/** What is wrong with a plan: where in it (`versions[0].rates[3].model`), and what to write instead. */
export interface PlanProblem {
  path: string;
  message: string;
  fix: string;
  /** Set when a name is not known. */
  unknown?: 'model' | 'feature' | 'currency';
}

/**
 * The version in force at an instant, or null before the first. For a subscription, ask with the start of its
 * billing period: a period is charged by one version from its first token to its last.
 */
export function planVersionAt(plan: Plan, at: Date): PlanVersion | null {
  return plan.versions.findLast((version) => Date.parse(version.effectiveFrom) <= at.getTime()) ?? null;
}

/** The markup of the house at an instant, in per cent; null before there is one. */
export function globalMarkupAt(plan: Plan, at: Date): string | null {
  const markup = plan.globalMarkups.findLast((entry) => Date.parse(entry.effectiveFrom) <= at.getTime());
  return markup?.markupPercent ?? null;
}
