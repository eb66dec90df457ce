import { nearestNames } from '../near-names.ts';
import { type Plan, planVersionAt } from '../plans/plan.ts';
import { planRatesAt } from '../plans/rates.ts';
import { resolveModel } from '../prices/lookup.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { invalid, Refusal } from '../refusal.ts';
import type { QuoteGround } from './ground.ts';
import { aliasedRates, type QuotedRate } from './parts.ts';
import type { QuoteFacts, QuoteQuestion } from './question.ts';

/** Nobody knows list prices so far ahead. */
const MAX_DAYS_AHEAD = 366;
const DAY_MS = 86_400_000;

/** By what a quote prices, whatever the usage is. */
export interface QuoteTerms
  extends Pick<QuoteGround, 'currency' | 'rateBasis' | 'plan' | 'minimumAmountMinor'> {
  /** The rates for usage of these models; a plan makes them of its markups. */
  ratesFor(models: readonly string[]): QuotedRate[];
}

/**
 * The instant whose list prices and plan version count.
 * @throws Refusal VALIDATION when it lies too far ahead
 */
export function instantOf({ at: text }: QuoteQuestion, now: Date): Date {
  if (text === undefined) return now;
  const at = new Date(text);
  if (at.getTime() - now.getTime() > MAX_DAYS_AHEAD * DAY_MS) {
    throw invalid('at', `must be at most ${MAX_DAYS_AHEAD} days ahead`);
  }
  return at;
}

/** The currency of usual rates: what was asked for, where neither a plan nor a customer says it; else null. */
export function usualCurrencyOf({ planId, customerId, currency }: QuoteQuestion): string | null {
  return planId === undefined && customerId === undefined ? (currency ?? 'usd') : null;
}

/**
 * Whose rates count, and in which currency.
 * @throws Refusal UNKNOWN_CURRENCY; VALIDATION for a date outside the plan, or currencies that would mix
 */
export function decideTerms(question: QuoteQuestion, facts: QuoteFacts): QuoteTerms {
  const { plan, customer, at, priceBook } = facts;
  if (plan !== null) {
    refuseOtherCurrency(question, plan, customer?.soldIn ?? []);
    return planTerms(plan, at, priceBook);
  }
  if (customer !== null) return customerTerms(question, facts, customer);
  const currency = usualCurrencyOf(question) ?? 'usd';
  if (facts.rates.length === 0 && question.currency !== undefined) {
    refuseUnknownCurrency(question.currency, facts.soldIn);
  }
  return ownTerms('usual', currency, facts);
}

/**
 * What a plan charges at an instant.
 * @throws Refusal VALIDATION before the plan's first version, or where it marks up prices in another currency
 */
export function planTerms(plan: Plan, at: Date, priceBook: PriceBook): QuoteTerms {
  const version = planVersionAt(plan, at);
  if (version === null) {
    throw invalid(
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
      throw invalid('planId', error.message);
    }
  };
  return {
    currency: plan.currency,
    rateBasis: 'plan',
    plan: { planId: plan.planId, name: plan.name, versionId: version.versionId },
    minimumAmountMinor: ratesAt([]).minimumAmountMinor,
    ratesFor: (models) => {
      const resolved = models.map((model) => resolveModel(priceBook, { model })?.model ?? model);
      const { rates } = ratesAt([...new Set(resolved)]);
      return [...rates, ...aliasedRates(rates, models, priceBook)];
    },
  };
}

function ownTerms(rateBasis: 'customer' | 'usual', currency: string, { rates }: QuoteFacts): QuoteTerms {
  const ofCurrency = rates.filter((entry) => entry.currency === currency).map(({ rate }) => rate);
  return { currency, rateBasis, plan: null, minimumAmountMinor: 0n, ratesFor: () => ofCurrency };
}

function customerTerms(
  question: QuoteQuestion,
  facts: QuoteFacts,
  { soldIn, currency: own }: NonNullable<QuoteFacts['customer']>,
): QuoteTerms {
  const currency = question.currency ?? soldIn[0] ?? own ?? 'usd';
  if (soldIn.length > 0 && !soldIn.includes(currency)) {
    throw invalid(
      'currency',
      `this customer is billed in ${soldIn.join(' and ')}`,
      'Leave the currency out, or the customer.',
    );
  }
  return ownTerms('customer', currency, facts);
}

/** Usage there already and a plan must be in one currency, and so must be what was asked for. */
function refuseOtherCurrency(
  { currency, mode }: QuoteQuestion,
  plan: Plan,
  customerCurrencies: readonly string[],
): void {
  if (currency !== undefined && currency !== plan.currency) {
    throw invalid(
      'currency',
      `plan ${plan.planId} is in ${plan.currency}`,
      'Leave the currency out, or name another plan.',
    );
  }
  if (mode === 'new' || customerCurrencies.length === 0 || customerCurrencies.includes(plan.currency)) return;
  throw invalid(
    'planId',
    `is in ${plan.currency}, and this customer is billed in ${customerCurrencies.join(' and ')}`,
    'Name a plan in the currency of the customer; currencies are never mixed.',
  );
}

/** While nothing is sold at all, any currency that exists may be asked about. */
function refuseUnknownCurrency(currency: string, sold: readonly string[]): void {
  const existing = Intl.supportedValuesOf('currency').map((code) => code.toLowerCase());
  if (sold.length === 0 && existing.includes(currency)) return;
  const near = nearestNames(sold.length > 0 ? sold : existing, currency);
  const offered = sold.length > 0 ? `Prices are in ${sold.join(', ')}.` : '';
  const fix = near.length > 0 && sold.length === 0 ? `Near names: ${near.join(', ')}.` : offered;
  throw new Refusal(`Nothing is sold in ${JSON.stringify(currency)}.`, {
    code: 'UNKNOWN_CURRENCY',
    field: 'currency',
    ...(fix === '' ? {} : { fix }),
  });
}
