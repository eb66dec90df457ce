import type { Conversions } from '../exchange/rates.ts';
import type { NamedMinimum, PeriodCharge } from '../invoices/minimum.ts';
import type { Plan } from '../plans/plan.ts';
import type { PriceBook } from '../prices/price-book.ts';
import type { DeploymentType, ServiceTier } from '../prices/rows.ts';
import type { TokenType } from '../usage/tokens.ts';
import type { ToldParts } from '../usage/untold.ts';
import type { QuoteCapacity } from './capacity.ts';
import type { QuotedRate } from './parts.ts';
import type { QuoteMode } from './quote.ts';

/** What is asked: counts are exact, shares, scales and per cent decimal text. */
export interface QuoteQuestion {
  /** One of the three says what usage is meant. */
  usage?: readonly GivenUsage[] | undefined;
  likeCustomer?: string | LikeCustomer | undefined;
  activeUsers?: readonly { feature: string; count: bigint }[] | undefined;
  /** Of `likeCustomer`, where that is a name. */
  scale?: string | undefined;
  adjustments?: AskedAdjustments | undefined;
  mode: QuoteMode;
  customerId?: string | undefined;
  planId?: string | undefined;
  /** ISO instant whose list prices and plan version count; now unless said. */
  at?: string | undefined;
  currency?: string | undefined;
  targetMarginPercent?: string | undefined;
}

/**
 * A month's tokens of one kind. Cached, audio and image tokens and what is written to the cache are parts of prompt,
 * audio and images of completion; of those that are left out nobody said how many there are.
 */
export interface GivenUsage extends ToldParts {
  model: string;
  feature: string;
  deployment?: string | undefined;
  deploymentType?: DeploymentType | undefined;
  region?: string | undefined;
  serviceTier?: ServiceTier | undefined;
  /** Input tokens of each request. */
  requestInputTokenCount?: bigint | undefined;
  promptTokenCount: bigint;
  cachedPromptTokenCount?: bigint | undefined;
  cachedShare?: string | undefined;
  completionTokenCount: bigint;
  requestCount?: bigint | undefined;
}

export interface LikeCustomer {
  customerId: string;
  /** Calendar month in UTC; the last 30 days unless said. */
  period?: string | undefined;
  scale?: string | undefined;
}

/** Adjustments as they are asked for and stored. */
export interface AskedAdjustments {
  modelSwaps?: { from: string; to: string }[] | undefined;
  cachedShare?: string | undefined;
  batchShare?: string | undefined;
  region?: string | undefined;
  deploymentType?: DeploymentType | undefined;
  serviceTier?: ServiceTier | undefined;
  requestInputTokenCount?: bigint | undefined;
}

/** A half-open run of instants. */
export interface Span {
  start: Date;
  end: Date;
}

/** Settled tokens of one kind. Corrections alone may sum below zero at the edge of a window. */
export interface KindUsage {
  model: string;
  feature: string;
  deployment: string;
  tokenType: TokenType;
  tokenCount: bigint;
}

/** All that is read to answer a question, as it was at one instant. What the question does not need is null or empty. */
export interface QuoteFacts {
  now: Date;
  /** Whose list prices and plan version count. */
  at: Date;
  priceBook: PriceBook;
  /** Of `customerId`. */
  customer: { name: string; currency: string | null; soldIn: readonly string[] } | null;
  plan: Plan | null;
  /** What costs are converted by, of every currency that prices may be in. */
  conversions: Conversions;
  /** Without a plan: what the customer pays, in all its currencies; without a customer what is usual in the currency. */
  rates: readonly { currency: string; rate: QuotedRate }[];
  /** Of the customer's plans, in all its currencies; empty where another plan is named, or no customer. */
  minimums: readonly (NamedMinimum & { currency: string })[];
  /** Currencies in which anybody pays; read where nothing is usual in the one that was asked for. */
  soldIn: readonly string[];
  /** What the customer that this shall be like used, by day of the window. */
  like: LikeUsage | null;
  users: ObservedUsers | null;
  /** What `customerId` uses in its current period, for `merge` and `replace`. */
  existing: {
    period: Span;
    rows: readonly KindUsage[];
    /** Usage of the period at prices that its items have left: it is charged as it was, and counts towards minimums. */
    atFormerPrices: readonly PeriodCharge[];
    openHourCount: bigint;
  } | null;
  /** Of the usage that was read, what its source did not tell; empty where no model has prices for parts of its tokens. */
  untold: readonly UntoldUsage[];
  /** Throughput bought by the hour that is in force; undefined where none was bought lately, or is to be. */
  capacities: readonly QuoteCapacity[] | undefined;
  /** What so many tokens of models that run on such throughput cost, in pico-USD; null where none was bought lately. */
  averages: ReadonlyMap<string, { costPicoUsd: bigint; tokenCount: bigint }> | null;
}

/** Settled usage of a customer, as far as the ledger has it. */
export interface LikeUsage {
  /** The month that is asked for: 30 days, or a calendar month, which may not be over. */
  month: Span;
  /** Of it, what the ledger can know by now: until its newest hour. */
  window: Span;
  rows: readonly (KindUsage & { day: number })[];
  /** The customer's first hour with usage in the window; null: none. */
  firstUsedAt: Date | null;
  /** Whether it was a user in the 30 days before the window too: then days without usage are such, and no holes. */
  isOlder: boolean;
}

/** Token types of which nobody said how many a deployment's model used. */
export interface UntoldUsage {
  model: string;
  deployment: string;
  untold: readonly TokenType[];
}

/** What each user of a feature used, for as many users as are asked for. */
export interface ObservedUsers {
  window: Span;
  features: readonly {
    feature: string;
    count: bigint;
    users: readonly (readonly Omit<KindUsage, 'feature'>[])[];
    /** Null: nobody used it. */
    firstUsedAt: Date | null;
  }[];
  /** Features that somebody used; read where one that was asked for is not among them. */
  usedFeatures: readonly string[];
}
