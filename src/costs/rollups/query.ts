import type { Conversions } from '../../../pricing/exchange/rates.ts';
import type { TokenType } from '../../../pricing/usage/shape.ts';
import type { TimeWindow } from '../../platform/clock.ts';

/** What a rollup can be grouped by; the order in which dimensions are asked for is that of the rows. */
export const ROLLUP_DIMENSIONS = [
  'day',
  'month',
  'customer',
  'model',
  'feature',
  'deployment',
  'user',
] as const;
export type RollupDimension = (typeof ROLLUP_DIMENSIONS)[number];

export const ROLLUP_SORTS = [
  'cost',
  'costBefore',
  'costChange',
  'revenue',
  'margin',
  'tokens',
  'requests',
  'activeUsers',
  'unpriced',
  'unattributed',
] as const;
export type RollupSort = (typeof ROLLUP_SORTS)[number];

/** Which usage is meant. A customer of null: usage that is nobody's. */
export interface RollupFilter {
  customerId?: string | null | undefined;
  /** Any of these; the empty text is usage that is nobody's. */
  customerIds?: readonly string[] | undefined;
  model?: string | undefined;
  feature?: string | undefined;
  deployment?: string | undefined;
  user?: string | undefined;
  /** A part of a name, whatever its case. */
  holding?: { dimension: 'model' | 'feature' | 'deployment' | 'user'; text: string } | undefined;
}

export interface RollupScope {
  /** Whole UTC days. */
  window: TimeWindow;
  filter: RollupFilter;
  /** How costs in US dollars are converted; revenue is converted back by the same. */
  conversions: Conversions;
}

export interface RollupQuery extends RollupScope {
  groupBy: readonly RollupDimension[];
  /** The window whose cost stands beside this one's; null: none. */
  before: TimeWindow | null;
  /** Null: by the dimensions, in the order of their bytes. Ties go by the dimensions. */
  sort: { by: RollupSort; descending: boolean } | null;
  /** Values of the last row of the page before, for rows that are not sorted otherwise. */
  after: readonly string[] | null;
  offset: number;
  limit: number;
  /** Whether the rows have the cost of each day, for a drawing in the row. */
  withDays: boolean;
  /** False: nobody asks who was active, and nobody is told (`activeUserCount` is 0); they are counted unless given. */
  withUsers?: false;
}

/** Tokens whose cost is unknown, by reason. */
interface UnknownTokens {
  reason: string;
  tokenCount: bigint;
  /** What they cost at least and at most, where what was not told decides it; null: not known. */
  between: { leastPicoUsd: bigint; mostPicoUsd: bigint } | null;
}

/** What the usage of one currency's customers brings, and what it costs. */
interface CurrencyFigures {
  currency: string;
  /** Pico of the minor unit. */
  revenuePicoMinor: bigint;
  /** Tokens that no rate names. */
  unratedTokenCount: bigint;
  knownCostPicoUsd: bigint;
}

/** What usage cost, without what it brings. */
export interface CostFigures {
  tokenCount: bigint;
  /** Tokens without a known cost. */
  unpricedTokenCount: bigint;
  /** Of usage that is priced by the token, as far as its price is known. */
  tokenCostPicoUsd: bigint;
  /** Shares of bought capacity. */
  provisionedCostPicoUsd: bigint;
  /** Of bought capacity that nobody is charged for; where a deployment or no dimension but time is asked for. */
  idleCostPicoUsd: bigint;
  /** Cost in the window before, as far as it is known; null where none was asked for, or nothing of it is known. */
  costBeforePicoUsd: bigint | null;
}

/** All figures but who was active, which takes another table. */
export interface RollupMoney extends CostFigures {
  tokenCounts: Partial<Record<TokenType, bigint>>;
  requestCount: bigint;
  unknown: UnknownTokens[];
  /** Tokens that are nobody's. */
  unattributedTokenCount: bigint;
  /** By currency; usage that is nobody's brings nothing, and is in none. */
  currencies: CurrencyFigures[];
  /** All revenue in US dollars; null where there is no exchange rate for some of it. */
  revenuePicoUsd: bigint | null;
  /** Revenue less cost of the tokens of which both are known; null as the revenue. */
  knownMarginPicoUsd: bigint | null;
  /** How many tokens those are. */
  knownMarginTokenCount: bigint;
}

export interface RollupFigures extends RollupMoney {
  /** Subjects of customers with tokens in the window: distinct, and never to be summed. */
  activeUserCount: bigint;
}

export interface RollupRow extends RollupFigures {
  /** The empty text where usage has none, e.g. no customer. */
  dimensions: Partial<Record<RollupDimension, string>>;
  /** Known cost by day, where asked for; days without any are left out. */
  days: { day: string; knownCostPicoUsd: bigint; tokenCount: bigint; unpricedTokenCount: bigint }[];
}

export interface RollupPage {
  rows: RollupRow[];
  /** Rows on all pages; of a page that is asked for by its last row, from there on. */
  rowCount: number;
}
