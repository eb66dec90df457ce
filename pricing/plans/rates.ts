import { priceFinder } from '../prices/finder.ts';
import { resolveModel, STANDARD_REQUEST, type StandInNote, standInOf } from '../prices/lookup.ts';
import type { PriceBook } from '../prices/price-book.ts';
import type { RatePrice } from '../rating/rate-price.ts';
import type { SellRate } from '../rating/sell-rates.ts';
import { modelKey, nameKey } from '../usage/names.ts';
import { TOKEN_TYPES, type TokenType } from '../usage/tokens.ts';
import { TOKEN_WORDS } from '../usage/words.ts';
import {
  globalMarkupAt,
  type Plan,
  type PlanPrice,
  type PlanRate,
  type PlanVersion,
  planVersionAt,
} from './plan.ts';
import { markedUpUnitAmount, perUnitPrice, tiersOf, unitAmountOf, wholeMinorOf } from './price.ts';

/** What a rate rests on beside the plan's own words; shown, so that nothing is silent. */
interface PlanRateNote {
  rateId: string;
  note: 'markup_rounded_at_12_decimals' | 'no_cost_to_mark_up' | 'no_markup_in_force' | StandInNote;
  model: string;
  tokenType: TokenType;
}

export interface PlanRates {
  version: PlanVersion;
  rates: SellRate[];
  /** What the billing period costs at least. */
  minimumAmountMinor: bigint;
  notes: PlanRateNote[];
}

/**
 * What a plan charges at an instant; for a subscription, the start of its billing period. Markups are on the
 * book's prices at that instant. Their order: the rate's own, else the plan's, else the global one. A rate for
 * any model by markup becomes one rate for each model that the book prices and no other rate names.
 * @throws RangeError before the plan's first version, when a markup is on a book in another currency, and for
 *   amounts that `checkPlan` refuses
 */
export function planRatesAt(plan: Plan, at: Date, book: PriceBook): PlanRates {
  const version = planVersionAt(plan, at);
  if (version === null) {
    const first = plan.versions[0]?.effectiveFrom ?? 'never';
    throw new RangeError(
      `plan ${plan.planId} has no version at ${at.toISOString()}; its first is of ${first}`,
    );
  }
  const notes: PlanRateNote[] = [];
  const rates = version.rates.flatMap((rate) =>
    rate.price.kind === 'markup'
      ? markedUpRates({ plan, version, at, book, rate, price: rate.price, notes })
      : statedRates(plan, rate, rate.price),
  );
  return {
    version,
    rates,
    minimumAmountMinor: version.minimum === null ? 0n : wholeMinorOf(version.minimum, plan.currency),
    notes,
  };
}

/** Names a rate of a plan in every version: `standard/gpt-4o/prompt/*`. */
function planRateId(planId: string, key: { model: string; tokenType: string; feature: string }): string {
  return [planId, key.model, key.tokenType, key.feature].join('/');
}

function statedRates(plan: Plan, rate: PlanRate, price: Exclude<PlanPrice, { kind: 'markup' }>): SellRate[] {
  const { currency } = plan;
  const ratePrice: RatePrice =
    price.kind === 'per_million'
      ? perUnitPrice(unitAmountOf(price.amount, currency), rate.includedTokens)
      : { kind: 'tiered', mode: price.mode, tiers: tiersOf(price.tiers, rate.includedTokens, currency) };
  return tokenTypesOf(rate).map((tokenType) => toSellRate(plan, rate, rate.model, tokenType, ratePrice));
}

interface MarkupInput {
  plan: Plan;
  version: PlanVersion;
  at: Date;
  book: PriceBook;
  rate: PlanRate;
  price: Extract<PlanPrice, { kind: 'markup' }>;
  notes: PlanRateNote[];
}

function markedUpRates(input: MarkupInput): SellRate[] {
  const { plan, version, at, book, rate, price, notes } = input;
  if (plan.currency !== book.currency) {
    throw new RangeError(
      `plan ${plan.planId} is in ${plan.currency} and marks up prices in ${book.currency}: state amounts instead`,
    );
  }
  const findPrice = priceFinder(book);
  const percent = price.percent ?? version.markupPercent ?? globalMarkupAt(plan, at);
  const models = rate.model === '*' ? book.models : [rate.model];
  return models.flatMap((model) =>
    tokenTypesOf(rate)
      .filter((tokenType) => !isNamedElsewhere(version, rate, model, tokenType, book))
      .flatMap((tokenType) => {
        const query = { ...STANDARD_REQUEST, model, deploymentType: price.deploymentType, at };
        const cost = findPrice(query, tokenType);
        const note = (text: PlanRateNote['note']) =>
          notes.push({ rateId: planRateId(plan.planId, rate), note: text, model, tokenType });
        if (!cost.found) {
          // Not every model has every token type; only a rate that names both has something missing.
          if (rate.model !== '*' && rate.tokenType !== '*') note('no_cost_to_mark_up');
          return [];
        }
        if (percent === null) {
          note('no_markup_in_force');
          return [];
        }
        const { unitAmountDecimal, isRounded } = markedUpUnitAmount(
          cost.picoUsdPerToken,
          percent,
          plan.currency,
        );
        if (isRounded) note('markup_rounded_at_12_decimals');
        const standIn = standInOf(cost.notes);
        if (standIn !== null) note(standIn);
        const ratePrice = perUnitPrice(unitAmountDecimal, rate.includedTokens);
        const sellRate = toSellRate(plan, rate, model, tokenType, ratePrice);
        return [standIn === null ? sellRate : { ...sellRate, standIn }];
      }),
  );
}

/** Whether a rate that says more about this model and token type prices it for the same feature. */
function isNamedElsewhere(
  version: PlanVersion,
  rate: PlanRate,
  model: string,
  tokenType: TokenType,
  book: PriceBook,
): boolean {
  const canonical = (name: string) => resolveModel(book, { model: name })?.model ?? name;
  return version.rates.some(
    (other) =>
      specificity(other) > specificity(rate) &&
      nameKey(other.feature) === nameKey(rate.feature) &&
      (other.tokenType === '*' || other.tokenType === tokenType) &&
      (other.model === '*' || modelKey(canonical(other.model)) === modelKey(canonical(model))),
  );
}

function specificity(rate: PlanRate): number {
  return (rate.model === '*' ? 0 : 2) + (rate.tokenType === '*' ? 0 : 1);
}

function tokenTypesOf(rate: PlanRate): readonly TokenType[] {
  return rate.tokenType === '*' ? TOKEN_TYPES : [rate.tokenType];
}

function toSellRate(
  plan: Plan,
  rate: PlanRate,
  model: string,
  tokenType: TokenType,
  price: RatePrice,
): SellRate {
  const { feature } = rate;
  return {
    rateId: planRateId(plan.planId, { model, tokenType, feature }),
    description: describe(model, tokenType, feature),
    model,
    feature,
    tokenType,
    price,
  };
}

/** What an invoice line is called. */
function describe(model: string, tokenType: TokenType, feature: string): string {
  const named = `${model === '*' ? 'Any model' : model} ${TOKEN_WORDS[tokenType].product}`;
  return feature === '*' ? named : `${named}, ${feature}`;
}
