import { likeOf, modelNameIn } from '../../pricing/quotes/basis.ts';
import type {
  LikeCustomer,
  ObservedUsers,
  QuoteFacts,
  QuoteQuestion,
  UntoldUsage,
} from '../../pricing/quotes/question.ts';
import { instantOf, usualCurrencyOf } from '../../pricing/quotes/terms.ts';
import { arePartsPriced } from '../../pricing/quotes/untold.ts';
import { OBSERVED_DAYS } from '../../pricing/quotes/users.ts';
import { modelKey } from '../../pricing/usage/names.ts';
import { readCustomerMinimums } from '../billing/minimums.ts';
import { getCustomer } from '../catalog/customers.ts';
import { readAverageCosts } from '../costs/average-costs.ts';
import { readConversions } from '../costs/exchange/rates.ts';
import { readPlan } from '../plans/plans.ts';
import {
  readCustomerCurrencies,
  readCustomerSellRates,
  readSoldCurrencies,
  type SellRateRow,
} from '../plans/sell-rates.ts';
import { addMs, DAY_MS, floorToHour, readMonth, type TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';
import { TallystickError, ValidationError } from '../platform/errors.ts';
import { readUntoldHours } from '../usage/collection/measured-figures.ts';
import { readCompleteness } from '../usage/hours/queries.ts';
import { readQuoteBasis } from './book.ts';
import { readQuoteCapacities } from './capacities.ts';
import {
  listUsedFeatures,
  readCurrentPeriod,
  readCustomerDays,
  readFeatureUsers,
  readFirstUse,
  readFormerCharges,
  readKnownUntil,
  readPeriodUsage,
} from './usage-queries.ts';

/** "Like this customer" means its usage of this many days, unless a month is named. */
const LIKE_CUSTOMER_DAYS = 30;

/**
 * All that a new quote is answered from, as the ledger had it at one instant: by one statement where nothing but the book
 * and the usual rates is asked for, else in one snapshot.
 * @throws as `gatherQuoteFacts`
 */
export async function readQuoteFacts(
  database: LedgerDatabase,
  question: QuoteQuestion,
  now: Date,
): Promise<QuoteFacts> {
  const at = instantOf(question, now);
  const { customerId, planId, activeUsers, mode, currency } = question;
  const asksForMore = [customerId, planId, activeUsers, likeOf(question) ?? undefined].some(
    (part) => part !== undefined,
  );
  const isInDollars = usualCurrencyOf(question) === 'usd';
  if (!asksForMore && isInDollars && mode === 'new' && at <= now) {
    const { priceBook, isThroughputBought, usualRates } = await readQuoteBasis(database, {
      now,
      ratesIn: 'usd',
    });
    const isUnsold = usualRates.length === 0 && currency !== undefined;
    if (!isThroughputBought && !isUnsold) {
      const rates = usualRates.map(toQuotedRate);
      const none = { customer: null, plan: null, like: null, users: null, existing: null };
      const nothing = { ...none, minimums: [], soldIn: [], conversions: new Map() };
      return { now, at, priceBook, rates, ...nothing, untold: [], capacities: undefined, averages: null };
    }
  }
  return await readSnapshot(database, (snapshot) => gatherQuoteFacts(snapshot, question, now));
}

/**
 * Everything that a quote is answered from, read in one snapshot and nowhere else.
 * @throws TallystickError UNKNOWN_CUSTOMER, UNKNOWN_PLAN, VALIDATION (a period to come); Refusal VALIDATION (a date too
 *   far ahead)
 */
export async function gatherQuoteFacts(
  snapshot: LedgerSnapshot,
  question: QuoteQuestion,
  now: Date,
): Promise<QuoteFacts> {
  const at = instantOf(question, now);
  const isOfUsualRates = question.planId === undefined && question.customerId === undefined;
  const { priceBook, isThroughputBought, usualRates } = await readQuoteBasis(snapshot, {
    now,
    ratesIn: isOfUsualRates ? (usualCurrencyOf(question) ?? 'usd') : null,
  });
  const customer = await readCustomer(snapshot, question.customerId);
  const plan = question.planId === undefined ? null : await readQuotedPlan(snapshot, question.planId);
  const rates = isOfUsualRates ? usualRates : await readCustomerRates(snapshot, question);
  const isOfCustomer = plan === null && question.customerId !== undefined;
  const minimums = isOfCustomer ? await readCustomerMinimums(snapshot, question.customerId ?? '') : [];
  const isUnsold = plan === null && customer === null && rates.length === 0;
  const soldIn = isUnsold && question.currency !== undefined ? await readSoldCurrencies(snapshot) : [];
  const conversions = await readConversions(snapshot, {
    window: { end: addMs(at, 1) },
    currencies: [question.currency, plan?.currency, customer?.currency, ...(customer?.soldIn ?? [])].filter(
      (currency) => typeof currency === 'string',
    ),
    now,
  });
  const like = await readLike(snapshot, likeOf(question), now);
  const users = await readUsers(snapshot, question.activeUsers, now);
  const existing = await readExisting(snapshot, question, now);
  const capacities =
    isThroughputBought || at > now ? await readQuoteCapacities(snapshot, { at, now, priceBook }) : undefined;
  const untold = await readUntold(snapshot, question, { priceBook, like, users, existing });
  const models = [
    ...(question.usage ?? []).map(({ model }) => modelNameIn(priceBook, model)),
    ...(question.adjustments?.modelSwaps ?? []).map(({ to }) => modelKey(to)),
    ...[...(like?.rows ?? []), ...(existing?.rows ?? [])].map(({ model }) => model),
    ...(users?.features ?? []).flatMap((feature) => feature.users.flat().map(({ model }) => model)),
  ];
  const averages = isThroughputBought ? await readAverageCosts(snapshot, [...new Set(models)], now) : null;
  return {
    now,
    at,
    priceBook,
    conversions,
    customer,
    plan,
    rates: rates.map(toQuotedRate),
    minimums,
    soldIn,
    like,
    users,
    existing,
    untold,
    capacities,
    averages,
  };
}

/**
 * What the source did not tell of the usage that was read; of a model of which some hours did not tell, nothing is said
 * of the others either.
 */
async function readUntold(
  snapshot: LedgerSnapshot,
  { adjustments }: QuoteQuestion,
  { priceBook, like, users, existing }: Pick<QuoteFacts, 'priceBook' | 'like' | 'users' | 'existing'>,
): Promise<QuoteFacts['untold']> {
  const read = [
    ...(like === null ? [] : [{ window: like.window, rows: like.rows }]),
    ...(users === null
      ? []
      : [{ window: users.window, rows: users.features.flatMap(({ users }) => users.flat()) }]),
    ...(existing === null
      ? []
      : [{ window: { ...existing.period, start: floorToHour(existing.period.start) }, rows: existing.rows }]),
  ];
  const swappedTo = (adjustments?.modelSwaps ?? []).map(({ to }) => to);
  const untold: UntoldUsage[] = [];
  for (const { window, rows } of read) {
    const models = [...new Set(rows.map(({ model }) => model))];
    const concerned = arePartsPriced(priceBook, swappedTo)
      ? models
      : models.filter((model) => arePartsPriced(priceBook, [model]));
    untold.push(...(await readUntoldHours(snapshot, window, concerned)));
  }
  const byDeployment = Map.groupBy(untold, ({ model, deployment }) => JSON.stringify([model, deployment]));
  return [...byDeployment.values()].flatMap((hours) =>
    hours.slice(0, 1).map(({ model, deployment }) => ({
      model,
      deployment,
      untold: [...new Set(hours.flatMap((hour) => hour.untold))],
    })),
  );
}

async function readCustomer(
  snapshot: LedgerSnapshot,
  customerId: string | undefined,
): Promise<QuoteFacts['customer']> {
  if (customerId === undefined) return null;
  const { name, currency } = await getCustomer(snapshot, customerId);
  return { name, currency, soldIn: await readCustomerCurrencies(snapshot, customerId) };
}

/** @throws TallystickError UNKNOWN_PLAN with near names */
async function readQuotedPlan(snapshot: LedgerSnapshot, planId: string) {
  try {
    return await readPlan(snapshot, planId);
  } catch (error) {
    if (!(error instanceof TallystickError) || error.code !== 'NOT_FOUND') throw error;
    throw new TallystickError(error.message, {
      code: 'UNKNOWN_PLAN',
      retry: false,
      context: { field: 'planId' },
      ...(error.fix === undefined ? {} : { fix: error.fix }),
    });
  }
}

async function readCustomerRates(
  snapshot: LedgerSnapshot,
  { planId, customerId }: QuoteQuestion,
): Promise<SellRateRow[]> {
  return planId === undefined && customerId !== undefined
    ? await readCustomerSellRates(snapshot, customerId)
    : [];
}

function toQuotedRate(row: SellRateRow): QuoteFacts['rates'][number] {
  return {
    currency: row.currency,
    rate: {
      rateId: row.stripeMeterId,
      description: row.productName,
      model: row.model,
      feature: row.feature,
      tokenType: row.tokenType,
      price: row.price,
    },
  };
}

async function readLike(
  snapshot: LedgerSnapshot,
  like: LikeCustomer | null,
  now: Date,
): Promise<QuoteFacts['like']> {
  if (like === null) return null;
  await getCustomer(snapshot, like.customerId);
  const known = await readKnownUntil(snapshot, now);
  const month = likeMonth(like.period, known);
  const window = { start: month.start, end: month.end < known ? month.end : known };
  const earlier = { start: addMs(window.start, -LIKE_CUSTOMER_DAYS * DAY_MS), end: window.start };
  return {
    month,
    window,
    rows: await readCustomerDays(snapshot, like.customerId, window),
    firstUsedAt: await readFirstUse(snapshot, like.customerId, window),
    isOlder: (await readFirstUse(snapshot, like.customerId, earlier)) !== null,
  };
}

/** @throws ValidationError when the ledger has nothing of the period yet */
function likeMonth(period: string | undefined, known: Date): TimeWindow {
  if (period === undefined) return { start: addMs(known, -LIKE_CUSTOMER_DAYS * DAY_MS), end: known };
  const month = readMonth(period);
  if (month === null || month.start >= known) {
    throw new ValidationError('likeCustomer.period', 'has not begun', 'Name a month that has usage.');
  }
  return month;
}

async function readUsers(
  snapshot: LedgerSnapshot,
  wanted: QuoteQuestion['activeUsers'],
  now: Date,
): Promise<ObservedUsers | null> {
  if (wanted === undefined) return null;
  const end = await readKnownUntil(snapshot, now);
  const window: TimeWindow = { start: addMs(end, -OBSERVED_DAYS * DAY_MS), end };
  const features: ObservedUsers['features'][number][] = [];
  for (const { feature, count } of wanted) {
    features.push({ feature, count, ...(await readFeatureUsers(snapshot, feature, window)) });
  }
  const isUnused = features.some(({ firstUsedAt }) => firstUsedAt === null);
  return { window, features, usedFeatures: isUnused ? await listUsedFeatures(snapshot, window) : [] };
}

/** Of the subscription's current period; without a subscription of the calendar month. */
async function readExisting(
  snapshot: LedgerSnapshot,
  { mode, customerId }: QuoteQuestion,
  now: Date,
): Promise<QuoteFacts['existing']> {
  if (mode === 'new' || customerId === undefined) return null;
  const period = (await readCurrentPeriod(snapshot, customerId)) ?? monthOf(now);
  const rows = await readPeriodUsage(snapshot, customerId, period);
  const atFormerPrices = await readFormerCharges(snapshot, customerId, period);
  const past = { start: period.start, end: now < period.end ? now : period.end };
  const { openHourCount } = await readCompleteness(snapshot, past);
  return { period, rows, atFormerPrices, openHourCount };
}

function monthOf(now: Date): TimeWindow {
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  return { start: new Date(Date.UTC(year, month, 1)), end: new Date(Date.UTC(year, month + 1, 1)) };
}
