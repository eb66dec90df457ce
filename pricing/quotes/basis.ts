import type { PriceBook } from '../prices/price-book.ts';
import { splitAmount } from '../rating/rating.ts';
import { Refusal } from '../refusal.ts';
import { modelKey, nameKey } from '../usage/names.ts';
import { bucketOf, mapBuckets, type SourceTokenCounts, toDisjointBuckets } from '../usage/tokens.ts';
import { TELLABLE_PARTS, type ToldParts } from '../usage/untold.ts';
import type { UsageGroup } from './answer.ts';
import { SHARE_DIGITS, type UsageBasis } from './ground.ts';
import type {
  GivenUsage,
  KindUsage,
  LikeCustomer,
  LikeUsage,
  QuoteFacts,
  QuoteQuestion,
  Span,
} from './question.ts';
import { findQuotedPrice } from './quoted-price.ts';
import { measureVariation } from './range.ts';
import { requestsOf, withLargestRequest } from './requests.ts';
import { arePartsPriced, untoldOf, withUntold } from './untold.ts';
import {
  countTokens,
  mergeUsage,
  ONE,
  parseRatio,
  type QuoteUsage,
  type Ratio,
  scaleUsage,
  timesRatio,
} from './usage.ts';
import { measureActiveUsers } from './users.ts';

const DAY_MS = 86_400_000;
/** Less than a week has no weekend, or nothing else. */
const LEAST_COVERED_DAYS = 7;
/** Who uses it once a week has that many in a month. */
const LEAST_USED_DAYS = 4;

export interface QuotedUsage {
  groups: UsageGroup[];
  basis: Omit<UsageBasis, 'existing'>;
  /** Why there is no range. */
  rangeReason: string | null;
}

const NO_BASIS = { likeCustomer: null, from: null, to: null, scale: null, activeUsers: null };

/**
 * The usage a question means, in disjoint buckets.
 * @throws Refusal UNKNOWN_FEATURE, NOT_ENOUGH_DATA
 */
export function decideUsage(question: QuoteQuestion, facts: QuoteFacts): QuotedUsage {
  const like = likeOf(question);
  if (facts.users !== null) {
    const { groups, basis, rangeReason } = measureActiveUsers(facts.users, facts);
    return { groups, basis: { ...NO_BASIS, kind: 'active_users', ...basis }, rangeReason };
  }
  if (like !== null && facts.like !== null) return likeCustomer(like, facts.like, facts);
  return {
    groups: [{ usage: toGivenUsage(question, facts.priceBook), range: null }],
    basis: { ...NO_BASIS, kind: 'given' },
    rangeReason: 'usage_given_without_a_range',
  };
}

/** Whose usage this shall be like; null where it is said otherwise. */
export function likeOf({ likeCustomer: like, scale }: QuoteQuestion): LikeCustomer | null {
  if (like === undefined) return null;
  return { scale, ...(typeof like === 'string' ? { customerId: like } : like) };
}

/** Names that mean a model of the book are written as the book does; a dated version stays, and is told. */
export function modelNameIn(book: PriceBook, model: string): string {
  const name = modelKey(model);
  return book.canonicalByName.get(name) ?? name;
}

function toGivenUsage({ usage = [], adjustments }: QuoteQuestion, book: PriceBook): QuoteUsage[] {
  const swappedTo = (adjustments?.modelSwaps ?? []).map(({ to }) => to);
  return usage.map((entry) => {
    const counts = countsOf(entry);
    const model = modelNameIn(book, entry.model);
    const untold = arePartsPriced(book, [model, ...swappedTo]) ? untoldOf(entry, counts) : [];
    return {
      model,
      feature: entry.feature,
      ...(entry.deployment === undefined ? {} : { deployment: nameKey(entry.deployment) }),
      ...(entry.deploymentType === undefined ? {} : { deploymentType: entry.deploymentType }),
      ...(entry.region === undefined ? {} : { region: entry.region }),
      ...(entry.serviceTier === undefined ? {} : { serviceTier: entry.serviceTier }),
      ...requestsOf(entry, book, [model, ...swappedTo]),
      tokens: toDisjointBuckets(counts),
      ...(untold.length === 0 ? {} : { untold }),
      ...(entry.requestCount === undefined ? {} : { requestCount: entry.requestCount }),
    };
  });
}

function countsOf(entry: GivenUsage): SourceTokenCounts {
  const parts = {} as Record<keyof ToldParts, bigint>;
  for (const { property } of TELLABLE_PARTS) parts[property] = entry[property] ?? 0n;
  return {
    promptTokenCount: entry.promptTokenCount,
    cachedPromptTokenCount:
      entry.cachedShare === undefined
        ? (entry.cachedPromptTokenCount ?? 0n)
        : shareOf(entry.promptTokenCount, entry.cachedShare),
    ...parts,
    completionTokenCount: entry.completionTokenCount,
  };
}

function shareOf(count: bigint, share: string): bigint {
  const { numerator, denominator } = parseRatio(share, SHARE_DIGITS);
  return splitAmount(count, [numerator, denominator - numerator])[0] ?? 0n;
}

function likeCustomer(
  { customerId, scale = '1' }: LikeCustomer,
  like: LikeUsage,
  { priceBook, at, untold }: QuoteFacts,
): QuotedUsage {
  const { window, rows } = like;
  const covered = coveredPart(customerId, like);
  const asked = scale === '1' ? ONE : parseRatio(scale, SHARE_DIGITS);
  const ratio = covered === null ? asked : timesRatio(asked, toWholeMonth(like.month, covered));
  const dayCount = Math.ceil((window.end.getTime() - window.start.getTime()) / DAY_MS);
  const firstDay =
    covered === null ? 0 : Math.floor((covered.start.getTime() - window.start.getTime()) / DAY_MS);
  const range = measureVariation(weighDays(rows, dayCount, priceBook, at).slice(firstDay));
  return {
    groups: [
      { usage: scaleUsage(withLargestRequest(withUntold(toUsage(rows), untold), priceBook), ratio), range },
    ],
    basis: {
      ...NO_BASIS,
      kind: 'like_customer',
      likeCustomer: customerId,
      from: window.start.toISOString(),
      to: window.end.toISOString(),
      scale,
      ...(covered === null
        ? {}
        : {
            extrapolated: {
              from: covered.start.toISOString(),
              to: covered.end.toISOString(),
              monthDayCount: String(Math.round(lengthOf(like.month) / DAY_MS)),
            },
          }),
    },
    rangeReason: range === null ? 'too_few_days_to_vary' : null,
  };
}

/**
 * The part of the month that the usage is of; null: all of it, to a day.
 * @throws Refusal NOT_ENOUGH_DATA where a month would be made of too little
 */
function coveredPart(
  customerId: string,
  { month, window, rows, firstUsedAt, isOlder }: LikeUsage,
): Span | null {
  const start = isOlder ? window.start : (firstUsedAt ?? window.end);
  const covered = { start, end: window.end };
  const usedDayCount = new Set(rows.filter(({ tokenCount }) => tokenCount > 0n).map(({ day }) => day)).size;
  if (lengthOf(covered) < LEAST_COVERED_DAYS * DAY_MS || usedDayCount < LEAST_USED_DAYS) {
    const tenths = Math.floor(lengthOf(covered) / (DAY_MS / 10));
    throw new Refusal(
      `${JSON.stringify(customerId)} has ${tenths / 10} days of usage in that time, with tokens on ${usedDayCount} of them; a month is made of at least ${LEAST_COVERED_DAYS} days, ${LEAST_USED_DAYS} of them with tokens.`,
      {
        code: 'NOT_ENOUGH_DATA',
        field: 'likeCustomer',
        fix: 'Name another month or customer, or give usage in tokens.',
      },
    );
  }
  return lengthOf(month) - lengthOf(covered) < DAY_MS ? null : covered;
}

function toWholeMonth(month: Span, covered: Span): Ratio {
  return { numerator: BigInt(lengthOf(month)), denominator: BigInt(lengthOf(covered)) };
}

function lengthOf({ start, end }: Span): number {
  return end.getTime() - start.getTime();
}

/** What each day weighs: what it cost at list prices, or its tokens where some of them have no price. */
function weighDays(
  rows: readonly (KindUsage & { day: number })[],
  dayCount: number,
  book: PriceBook,
  at: Date,
): bigint[] {
  const tokens = Array.from({ length: dayCount }, () => 0n);
  const costs = Array.from({ length: dayCount }, () => 0n);
  let isPriced = true;
  for (const row of rows) {
    const found = findQuotedPrice(book, row, at, row.tokenType);
    if (!found.found) isPriced = false;
    tokens[row.day] = (tokens[row.day] ?? 0n) + row.tokenCount;
    costs[row.day] = (costs[row.day] ?? 0n) + row.tokenCount * (found.found ? found.picoUsdPerToken : 0n);
  }
  return isPriced ? costs : tokens;
}

/** Corrections alone may sum below zero at the edge of a window; a quote is for usage to come. */
function toUsage(rows: readonly KindUsage[]): QuoteUsage[] {
  const entries = mergeUsage(
    rows.map(({ model, feature, deployment, tokenType, tokenCount }) => ({
      model,
      feature,
      deployment,
      tokens: bucketOf(tokenType, tokenCount),
    })),
  );
  const positive = (count: bigint) => (count > 0n ? count : 0n);
  return entries.map((entry) => ({
    ...entry,
    tokens: mapBuckets((tokenType) => positive(entry.tokens[tokenType])),
  }));
}

/** What the customer uses already in its current billing period: what an invoice preview counts of it. */
export function decideExisting({ existing, untold }: QuoteFacts): {
  usage: QuoteUsage[];
  basis: UsageBasis['existing'];
} {
  if (existing === null) return { usage: [], basis: null };
  const { period, rows, openHourCount } = existing;
  const usage = withUntold(toUsage(rows), untold);
  return {
    usage,
    basis: {
      from: period.start.toISOString(),
      to: period.end.toISOString(),
      tokenCount: String(countTokens(usage)),
      openHourCount: String(openHourCount),
    },
  };
}
