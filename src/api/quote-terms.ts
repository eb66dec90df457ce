import { nearestNames } from '../../pricing/near-names.ts';
import { type Plan, planVersionAt } from '../../pricing/plan.ts';
import { planRatesAt } from '../../pricing/plan-rates.ts';
import type { PriceBook } from '../../pricing/price-book.ts';
import { resolveModel } from '../../pricing/price-lookup.ts';
import type { QuotedRate } from '../../pricing/quote-parts.ts';
import { DAY_MS } from '../clock.ts';
import { TallystickError, ValidationError } from '../errors.ts';
import { getCustomer } from '../ledger/customers.ts';
import { quoteReadsOf } from '../ledger/quote-reads.ts';
import {
  readCustomerCurrencies,
  readCustomerSellRates,
  readSoldCurrencies,
  type SellRateRow,
} from '../ledger/sell-rates.ts';
import type { ApiDependencies } from './dependencies.ts';
import type { QuoteRequest } from './quote-request-schema.ts';
import type { QuoteSnapshot } from './quote-snapshot.ts';

/** Nobody knows list prices so far ahead. */
const MAX_DAYS_AHEAD = 366;

/** By what a quote counts, whatever the usage is. */
export interface QuoteTerms {
  priceBook: PriceBook;
  at: Date;
  currency: string;
  customerName: string | null;
  /** Whether throughput bought by the hour belongs to what tokens cost on average. */
  hasProvisioned: boolean;
  rateBasis: QuoteSnapshot['rateBasis'];
  plan: QuoteSnapshot['plan'];
  minimumAmountMinor: bigint;
  /** The rates for usage of these models; a plan makes them of its markups. */
  ratesFor(models: readonly string[]): QuotedRate[];
}

/**
 * Reads price book, plan, customer and rates.
 * @throws TallystickError UNKNOWN_PLAN, UNKNOWN_CUSTOMER, UNKNOWN_CURRENCY, VALIDATION (a date outside the plan, mixed
 *   currencies)
 */
export async function readTerms(dependencies: ApiDependencies, request: QuoteRequest): Promise<QuoteTerms> {
  const { database, clock } = dependencies;
  const at = readInstant(request.at, clock.now());
  const reads = quoteReadsOf(database);
  const customer = request.customerId === undefined ? null : getCustomer(database, request.customerId);
  const { planId, customerId } = request;
  const usualCurrency = planId === undefined && customerId === undefined ? (request.currency ?? 'usd') : null;
  const [basis, known, stripe, found] = await Promise.all([
    reads.basis(usualCurrency, clock.now()),
    customer,
    planId === undefined && customerId !== undefined
      ? readCustomerRates(dependencies, request, customerId)
      : null,
    planId === undefined ? null : readQuotedPlan(dependencies, planId),
  ]);
  const { priceBook, hasProvisioned } = basis;
  const common = { priceBook, at, customerName: known?.name ?? null, hasProvisioned };
  if (found !== null) {
    await refuseOtherCurrency(dependencies, request, found);
    return { ...common, ...planTerms(found, at, priceBook) };
  }
  if (stripe === null && basis.rates.length === 0 && request.currency !== undefined) {
    refuseUnknownCurrency(request.currency, await readSoldCurrencies(database));
  }
  const { currency, rows, rateBasis } = stripe ?? {
    currency: usualCurrency ?? 'usd',
    rows: basis.rates,
    rateBasis: 'usual' as const,
  };
  const quoted = toQuotedRates(rows);
  return {
    ...common,
    currency,
    rateBasis,
    plan: null,
    minimumAmountMinor: 0n,
    ratesFor: () => quoted,
  };
}

function readInstant(text: string | undefined, now: Date): Date {
  if (text === undefined) return now;
  const at = new Date(text);
  if (at.getTime() - now.getTime() > MAX_DAYS_AHEAD * DAY_MS) {
    throw new ValidationError('at', `must be at most ${MAX_DAYS_AHEAD} days ahead`);
  }
  return at;
}

/** @throws TallystickError UNKNOWN_PLAN with near names */
async function readQuotedPlan({ database }: ApiDependencies, planId: string): Promise<Plan> {
  try {
    return await quoteReadsOf(database).plan(planId);
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

/**
 * What a plan charges at an instant.
 * @param versionId that version whatever is in force; left out: the one in force
 * @throws ValidationError before the plan's first version, or where it marks up prices in another currency
 */
export function planTerms(plan: Plan, at: Date, priceBook: PriceBook) {
  const version = planVersionAt(plan, at);
  if (version === null) {
    throw new ValidationError(
      'at',
      `plan ${plan.planId} has no version at ${at.toISOString()}`,
      `Its first is of ${plan.versions[0]?.effectiveFrom ?? 'never'}.`,
    );
  }
  const ratesAt = (models: readonly string[]) => {
    try {
      // A markup on any model becomes a rate for each model of the book: those of the usage are enough.
      return planRatesAt(plan, at, { ...priceBook, models });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new ValidationError('planId', error.message);
    }
  };
  return {
    currency: plan.currency,
    rateBasis: 'plan' as const,
    plan: { planId: plan.planId, name: plan.name, versionId: version.versionId },
    minimumAmountMinor: ratesAt([]).minimumAmountMinor,
    ratesFor: (models: readonly string[]) => {
      const resolved = models.map((model) => resolveModel(priceBook, { model })?.model ?? model);
      const { rates } = ratesAt([...new Set(resolved)]);
      return [...rates, ...aliasedRates(rates, models, priceBook)];
    },
  };
}

/** A plan names a model once; usage under a dated or other name of it is charged the same, in the same line. */
function aliasedRates<Rate extends QuotedRate>(
  rates: readonly Rate[],
  models: readonly string[],
  book: PriceBook,
): Rate[] {
  const named = new Set(rates.map(({ model }) => model));
  return models
    .filter((model) => !named.has(model))
    .flatMap((model) => {
      const canonical = resolveModel(book, { model })?.model;
      if (canonical === undefined || canonical === model) return [];
      return rates.filter((rate) => rate.model === canonical).map((rate) => ({ ...rate, model }));
    });
}

/** Usage there already and a plan must be in one currency, and so must be what was asked for. */
async function refuseOtherCurrency(
  { database }: ApiDependencies,
  request: QuoteRequest,
  plan: Plan,
): Promise<void> {
  if (request.currency !== undefined && request.currency !== plan.currency) {
    throw new ValidationError(
      'currency',
      `plan ${plan.planId} is in ${plan.currency}`,
      'Leave the currency out, or name another plan.',
    );
  }
  if (request.mode === 'new' || request.customerId === undefined) return;
  const currencies = await readCustomerCurrencies(database, request.customerId);
  if (currencies.length === 0 || currencies.includes(plan.currency)) return;
  throw new ValidationError(
    'planId',
    `is in ${plan.currency}, and this customer is billed in ${currencies.join(' and ')}`,
    'Name a plan in the currency of the customer; currencies are never mixed.',
  );
}

async function readCustomerRates({ database }: ApiDependencies, request: QuoteRequest, customerId: string) {
  const [customer, currencies, rates] = await Promise.all([
    getCustomer(database, customerId),
    readCustomerCurrencies(database, customerId),
    readCustomerSellRates(database, customerId),
  ]);
  const currency = request.currency ?? currencies[0] ?? customer.currency ?? 'usd';
  if (currencies.length > 0 && !currencies.includes(currency)) {
    throw new ValidationError(
      'currency',
      `this customer is billed in ${currencies.join(' and ')}`,
      'Leave the currency out, or the customer.',
    );
  }
  return {
    currency,
    rows: rates.filter((rate) => rate.currency === currency),
    rateBasis: 'customer' as const,
  };
}

/** While nothing is sold at all, any currency that exists may be asked about. */
function refuseUnknownCurrency(currency: string, sold: readonly string[]): void {
  const existing = Intl.supportedValuesOf('currency').map((code) => code.toLowerCase());
  if (sold.length === 0 && existing.includes(currency)) return;
  const near = nearestNames(sold.length > 0 ? sold : existing, currency);
  const offered = sold.length > 0 ? `Prices are in ${sold.join(', ')}.` : '';
  const fix = near.length > 0 && sold.length === 0 ? `Near names: ${near.join(', ')}.` : offered;
  throw new TallystickError(`Nothing is sold in ${JSON.stringify(currency)}.`, {
    code: 'UNKNOWN_CURRENCY',
    retry: false,
    context: { field: 'currency' },
    ...(fix === '' ? {} : { fix }),
  });
}

/** Rates that many quotes share are turned once. */
const quotedByRows = new WeakMap<readonly SellRateRow[], QuotedRate[]>();

function toQuotedRates(rows: readonly SellRateRow[]): QuotedRate[] {
  const quoted = quotedByRows.get(rows) ?? rows.map(toQuotedRate);
  quotedByRows.set(rows, quoted);
  return quoted;
}

function toQuotedRate(rate: SellRateRow): QuotedRate {
  return {
    rateId: rate.stripeMeterId,
    description: rate.productName,
    model: rate.model,
    feature: rate.feature,
    tokenType: rate.tokenType,
    price: rate.price,
  };
}
