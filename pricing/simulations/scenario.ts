import type { PeriodMinimum } from '../invoices/minimum.ts';
import type { Plan } from '../plans/plan.ts';
import type { KnownMargin } from '../rating/margin.ts';
import type { RateKey, SellRate } from '../rating/sell-rates.ts';
import type { TokenType } from '../usage/tokens.ts';
import type { PercentChange } from './change.ts';

/** What could be otherwise. Everything left empty is as it is. */
export interface Scenario {
  name: string;
  /** What customers pay instead of their own rates; at most one of plan and markup. */
  plan: Plan | null;
  /** On what the book says that each token costs, in the book's currency; decimal text. */
  markupPercent: string | null;
  /** What we pay Azure. Wins over the book. */
  costPrices: readonly { model: string; tokenType: TokenType; usdPerMillion: string }[];
  /** What customers billed in this currency pay. Wins over rates, plan and markup; `*` matches any. */
  sellPrices: readonly (RateKey & { currency: string; perMillion: string })[];
  /** What Azure charges by the token, by so much more or less; `costPrices` win. */
  costChanges: readonly Omit<PercentChange, 'feature'>[];
  /** What customers pay by their rates, plan or markup, by so much more or less; `sellPrices` win. */
  sellChanges: readonly PercentChange[];
  /** What a calendar month costs at least those who are billed in its currency, instead of what their plans say. */
  minimum: { amount: string; currency: string } | null;
  /** Off everybody's month, minimums included; decimal text from 0 to 100. */
  discountPercent: string | null;
  /** The same tokens, served by another model; of one feature, or of any. */
  modelSwaps: readonly { from: string; to: string; feature?: string | undefined }[];
  /** Their usage does not happen. */
  withoutFeatures: readonly string[];
}

/** The world as it is: the baseline of every comparison. */
export const AS_IT_IS: Scenario = {
  name: 'baseline',
  plan: null,
  markupPercent: null,
  costPrices: [],
  sellPrices: [],
  costChanges: [],
  sellChanges: [],
  minimum: null,
  discountPercent: null,
  modelSwaps: [],
  withoutFeatures: [],
};

/** One kind of usage in one run of hours with constant prices. The same object for every customer that has it. */
export interface ScenarioKind {
  /** From 0, without holes: what a scenario keeps its prices by. */
  index: number;
  /** Calendar month (UTC) that is billed together, and the instant whose cost prices hold. */
  monthStart: Date;
  at: Date;
  model: string;
  feature: string;
  deployment: string;
  tokenType: TokenType;
  /** Token types of which the source did not tell how many there are; of models with prices for them. */
  untold: readonly TokenType[];
  /** Paid by capacity: its cost comes with the customer. */
  isProvisioned: boolean;
}

export interface ScenarioUsage {
  kind: ScenarioKind;
  tokenCount: bigint;
}

/** A customer's usage of the whole period and what they pay for it now. */
export interface ScenarioCustomer {
  /** Null: nobody's usage, for which nobody pays. */
  billed: {
    currency: string;
    rates: readonly SellRate[];
    /** Of their plans, for each calendar month that has one. */
    minimums?: readonly (PeriodMinimum & { monthStart: Date })[];
  } | null;
  usage: readonly ScenarioUsage[];
  /** The customer's share of capacity, which is paid whatever happens. */
  provisionedCostPicoUsd: bigint;
}

export interface ScenarioOutcome {
  /** Null: nobody pays. */
  currency: string | null;
  tokenCount: bigint;
  /** As invoices round it, each calendar month for itself, in minor units; what has no rate is not in it. */
  ratedRevenueMinor: bigint;
  unratedTokenCount: bigint;
  /** What has no price is not in it. */
  knownCostPicoUsd: bigint;
  unknownCostTokenCount: bigint;
  /** Of the tokens with a rate and a price, exact and before any minimum; null: all have both. */
  known: KnownMargin | null;
}
