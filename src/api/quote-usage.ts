import type { PriceBook } from '../../pricing/price-book.ts';
import { findPrice } from '../../pricing/price-lookup.ts';
import { normalizeModelName } from '../../pricing/price-rows.ts';
import type { UsageGroup } from '../../pricing/quote-answer.ts';
import { measureVariation } from '../../pricing/quote-range.ts';
import { mergeUsage, ONE, parseRatio, type QuoteUsage, scaleUsage } from '../../pricing/quote-usage.ts';
import { splitAmount } from '../../pricing/rating.ts';
import { toDisjointBuckets } from '../../pricing/tokens.ts';
import { addMs, DAY_MS, floorToHour, type TimeWindow } from '../clock.ts';
import { ValidationError } from '../errors.ts';
import { getCustomer } from '../ledger/customers.ts';
import {
  type KindUsage,
  readCurrentPeriod,
  readCustomerDays,
  readPeriodUsage,
} from '../ledger/quote-usage.ts';
import { readCompleteness } from '../ledger/usage-queries.ts';
import type { ApiDependencies } from './dependencies.ts';
import { measureActiveUsers } from './quote-active-users.ts';
import type { QuoteRequest } from './quote-request-schema.ts';
import type { QuoteAnswerBody } from './quote-schemas.ts';
import { SHARE_DIGITS } from './quote-snapshot.ts';
import { readWindow } from './usage-window.ts';

/** "Like this customer" means its usage of this many days. */
const LIKE_CUSTOMER_DAYS = 30;

type Basis = QuoteAnswerBody['usageBasis'];

export interface QuotedUsage {
  groups: UsageGroup[];
  basis: Omit<Basis, 'existing'>;
  /** Why there is no range. */
  rangeReason: string | null;
}

const NO_BASIS = { likeCustomer: null, from: null, to: null, scale: null, activeUsers: null };

/**
 * The usage a request means, in disjoint buckets.
 * @throws TallystickError UNKNOWN_CUSTOMER, UNKNOWN_FEATURE, NOT_ENOUGH_DATA, VALIDATION (a period to come)
 */
export async function readQuotedUsage(
  dependencies: ApiDependencies,
  request: QuoteRequest,
  terms: { priceBook: PriceBook; at: Date },
): Promise<QuotedUsage> {
  if (request.activeUsers !== undefined) {
    const measured = await measureActiveUsers(dependencies, request.activeUsers, terms);
    return {
      groups: measured.groups,
      basis: { ...NO_BASIS, kind: 'active_users', ...measured.basis },
      rangeReason: null,
    };
  }
  const { likeCustomer } = request;
  if (likeCustomer !== undefined) {
    const like = typeof likeCustomer === 'string' ? { customerId: likeCustomer } : likeCustomer;
    return await copyCustomerUsage(dependencies, { scale: request.scale, ...like }, terms);
  }
  return {
    groups: [{ usage: readGivenUsage(request, terms.priceBook), range: null }],
    basis: { ...NO_BASIS, kind: 'given' },
    rangeReason: 'usage_given_without_a_range',
  };
}

/** Names that mean a model of the book are written as the book does; a dated version stays, and is told. */
function readGivenUsage(request: QuoteRequest, book: PriceBook): QuoteUsage[] {
  return (request.usage ?? []).map((entry) => {
    const name = normalizeModelName(entry.model);
    const prompt = entry.promptTokenCount;
    const cached =
      entry.cachedShare === undefined
        ? (entry.cachedPromptTokenCount ?? 0n)
        : shareOf(prompt, entry.cachedShare);
    return {
      model: book.canonicalByName.get(name) ?? name,
      feature: entry.feature,
      ...(entry.deployment === undefined ? {} : { deployment: entry.deployment }),
      ...(entry.deploymentType === undefined ? {} : { deploymentType: entry.deploymentType }),
      ...(entry.region === undefined ? {} : { region: entry.region }),
      tokens: toDisjointBuckets({
        promptTokenCount: prompt,
        cachedPromptTokenCount: cached,
        completionTokenCount: entry.completionTokenCount,
      }),
      ...(entry.requestCount === undefined ? {} : { requestCount: entry.requestCount }),
    };
  });
}

function shareOf(count: bigint, share: string): bigint {
  const { numerator, denominator } = parseRatio(share, SHARE_DIGITS);
  return splitAmount(count, [numerator, denominator - numerator])[0] ?? 0n;
}

async function copyCustomerUsage(
  { database, clock }: ApiDependencies,
  like: { customerId: string; period?: string | undefined; scale?: string | undefined },
  { priceBook, at }: { priceBook: PriceBook; at: Date },
): Promise<QuotedUsage> {
  await getCustomer(database, like.customerId);
  const window = likeWindow(like.period, floorToHour(clock.now()));
  const rows = await readCustomerDays(database, like.customerId, window);
  const scale = like.scale ?? '1';
  const ratio = like.scale === undefined ? ONE : parseRatio(scale, SHARE_DIGITS);
  const dayCount = Math.ceil((window.end.getTime() - window.start.getTime()) / DAY_MS);
  const range = measureVariation(weighDays(rows, dayCount, priceBook, at));
  return {
    groups: [{ usage: scaleUsage(toUsage(rows), ratio), range }],
    basis: {
      ...NO_BASIS,
      kind: 'like_customer',
      likeCustomer: like.customerId,
      from: window.start.toISOString(),
      to: window.end.toISOString(),
      scale,
    },
    rangeReason: range === null ? 'too_few_days_to_vary' : null,
  };
}

/** @throws ValidationError when the period has not begun */
function likeWindow(period: string | undefined, now: Date): TimeWindow {
  if (period === undefined) return { start: addMs(now, -LIKE_CUSTOMER_DAYS * DAY_MS), end: now };
  const window = readWindow({ period });
  if (window.start >= now) {
    throw new ValidationError('likeCustomer.period', 'has not begun', 'Name a month that has usage.');
  }
  return { start: window.start, end: window.end < now ? window.end : now };
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
    const found = findPrice(book, { ...row, at }, row.tokenType);
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
      tokens: { prompt: 0n, prompt_cached: 0n, completion: 0n, [tokenType]: tokenCount },
    })),
  );
  const positive = (count: bigint) => (count > 0n ? count : 0n);
  return entries.map((entry) => ({
    ...entry,
    tokens: {
      prompt: positive(entry.tokens.prompt),
      prompt_cached: positive(entry.tokens.prompt_cached),
      completion: positive(entry.tokens.completion),
    },
  }));
}

/**
 * What the customer uses already in its current billing period: what an invoice preview counts of it.
 * Without a subscription it is the calendar month.
 */
export async function readExistingUsage(
  { database, clock }: ApiDependencies,
  customerId: string,
): Promise<{ usage: QuoteUsage[]; basis: NonNullable<Basis['existing']> }> {
  const now = clock.now();
  const period =
    (await readCurrentPeriod(database, customerId)) ?? readWindow({ period: now.toISOString().slice(0, 7) });
  const [rows, completeness] = await Promise.all([
    readPeriodUsage(database, customerId, period),
    readCompleteness(database, { start: period.start, end: now < period.end ? now : period.end }),
  ]);
  const usage = toUsage(rows);
  const tokenCount = usage.reduce(
    (sum, { tokens }) => sum + tokens.prompt + tokens.prompt_cached + tokens.completion,
    0n,
  );
  return {
    usage,
    basis: {
      from: period.start.toISOString(),
      to: period.end.toISOString(),
      tokenCount: String(tokenCount),
      openHourCount: String(completeness.openHourCount),
    },
  };
}
