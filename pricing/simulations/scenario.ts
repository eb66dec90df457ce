import type { PeriodMinimum } from '../invoices/minimum.ts';
import { PICO_DIGITS, parseDecimal } from '../money.ts';
import type { Plan } from '../plans/plan.ts';
import { unitAmountOf } from '../plans/price.ts';
import { planRatesAt } from '../plans/rates.ts';
import { findPrice, resolveModel } from '../prices/lookup.ts';
import type { PriceBook, PriceQuery } from '../prices/price-book.ts';
import type { KnownMargin } from '../rating/margin.ts';
import type { RatedUsage } from '../rating/rate-usage.ts';
import { findSellRate, type RateKey, type SellRate } from '../rating/sell-rates.ts';
import { modelKey, nameKey } from '../usage/names.ts';
import type { TokenType } from '../usage/tokens.ts';
import { hasUntoldWrites, untoldReason } from '../usage/untold.ts';
import { knownPart, type Rateable, rateMonth } from './rate-month.ts';

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
  /** The same tokens, served by another model. */
  modelSwaps: readonly { from: string; to: string }[];
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

interface PreparedKind {
  /** What it is rated as; null: the usage does not happen. */
  key: RateKey | null;
  planKey: RateKey;
  /** Null: unknown. */
  picoUsdPerToken: bigint | null;
}

interface MonthRates {
  rates: readonly SellRate[];
  minimums: readonly PeriodMinimum[];
}

/**
 * A scenario made ready for any number of customers: prices and plans are looked up once for each kind of usage and
 * month. Tiers, allowances and minimums are per calendar month; a part of a month gets them whole.
 * @throws RangeError when the plan or the markup cannot be applied; see planRatesAt
 */
export class PreparedScenario {
  readonly #scenario: Scenario;
  readonly #book: PriceBook;
  readonly #kinds: PreparedKind[] = [];
  readonly #ratesByMonth = new Map<number, MonthRates>();
  readonly #overridesByCurrency = new Map<string, SellRate[]>();
  readonly #plan: Plan | null;

  constructor(scenario: Scenario, book: PriceBook) {
    this.#scenario = scenario;
    this.#book = book;
    this.#plan =
      scenario.markupPercent === null ? scenario.plan : markupPlan(scenario.markupPercent, book.currency);
    for (const [index, price] of scenario.sellPrices.entries()) {
      const rates = this.#overridesByCurrency.get(price.currency) ?? [];
      const unitAmountDecimal = unitAmountOf(price.perMillion, price.currency);
      const { model, feature, tokenType } = price;
      const rateId = `scenario/${index}`;
      rates.push({
        rateId,
        description: rateId,
        model: this.#canonical(model),
        feature,
        tokenType,
        price: { kind: 'per_unit', unitAmountDecimal },
      });
      this.#overridesByCurrency.set(price.currency, rates);
    }
  }

  /** @throws RangeError when plan or markup cannot be applied to a billing period that begins then */
  check(monthStart: Date): void {
    if (this.#plan !== null) this.#monthRates(this.#plan, monthStart);
  }

  /** What a customer's period comes to. */
  rate(customer: ScenarioCustomer): ScenarioOutcome {
    const payer = customer.billed;
    const currency = payer === null ? null : (this.#plan?.currency ?? payer.currency);
    const outcome: ScenarioOutcome = {
      currency,
      tokenCount: 0n,
      ratedRevenueMinor: 0n,
      unratedTokenCount: 0n,
      knownCostPicoUsd: customer.provisionedCostPicoUsd,
      unknownCostTokenCount: 0n,
      known: null,
    };
    const overrides = this.#overridesByCurrency.get(currency ?? '') ?? [];
    const months = new Map<number, { monthStart: Date; stated: Rateable[]; overridden: Rateable[] }>();
    for (const { kind, tokenCount } of customer.usage) {
      const prepared = this.#kinds[kind.index] ?? this.#prepare(kind);
      if (prepared.key === null) continue;
      outcome.tokenCount += tokenCount;
      const picoUsdPerToken = kind.isProvisioned ? 0n : prepared.picoUsdPerToken;
      if (picoUsdPerToken === null) outcome.unknownCostTokenCount += tokenCount;
      else outcome.knownCostPicoUsd += tokenCount * picoUsdPerToken;
      const monthMs = kind.monthStart.getTime();
      let month = months.get(monthMs);
      if (month === undefined) {
        month = { monthStart: kind.monthStart, stated: [], overridden: [] };
        months.set(monthMs, month);
      }
      const { model, feature, tokenType } = this.#plan === null ? prepared.key : prepared.planKey;
      const isOverridden = overrides.length > 0 && findSellRate(overrides, prepared.planKey) !== null;
      if (isOverridden) month.overridden.push({ ...prepared.planKey, tokenCount, picoUsdPerToken });
      else month.stated.push({ model, feature, tokenType, tokenCount, picoUsdPerToken });
    }
    if (payer === null) return outcome;
    const rated: RatedUsage<Rateable>[] = [];
    for (const { monthStart, stated, overridden } of months.values()) {
      const { rates, minimums } =
        this.#plan === null
          ? {
              rates: payer.rates,
              minimums: (payer.minimums ?? []).filter((one) => +one.monthStart === +monthStart),
            }
          : this.#monthRates(this.#plan, monthStart);
      const month = rateMonth(
        { stated, overridden, rates, overrides },
        { minimums, currency: currency ?? payer.currency },
      );
      outcome.ratedRevenueMinor += month.revenueMinor;
      outcome.unratedTokenCount += month.unratedTokenCount;
      rated.push(...month.rated);
    }
    if (outcome.unratedTokenCount !== 0n || outcome.unknownCostTokenCount !== 0n) {
      outcome.known = knownPart(rated, customer.provisionedCostPicoUsd);
    }
    return outcome;
  }

  #prepare(kind: ScenarioKind): PreparedKind {
    const prepared = this.#lookUp(kind);
    this.#kinds[kind.index] = prepared;
    return prepared;
  }

  #lookUp(kind: ScenarioKind): PreparedKind {
    const { feature, tokenType, at, deployment, untold } = kind;
    const { withoutFeatures, modelSwaps, costPrices } = this.#scenario;
    const named = { model: kind.model, deployment, at };
    const canonical = resolveModel(this.#book, named)?.model ?? modelKey(kind.model);
    const swap = modelSwaps.find(({ from }) => this.#canonical(from) === canonical);
    const model = swap === undefined ? kind.model : swap.to;
    const planModel = swap === undefined ? canonical : this.#canonical(swap.to);
    const own = findPrice(this.#book, named, tokenType);
    // Another model runs as this one did; the deployment's own rule would say this model again.
    const served: PriceQuery =
      swap === undefined
        ? named
        : {
            model: swap.to,
            at,
            ...(own.found ? { deploymentType: own.row.deploymentType, region: own.row.region } : {}),
          };
    const found = swap === undefined ? own : findPrice(this.#book, served, tokenType);
    const isPriced = (part: TokenType) => findPrice(this.#book, served, part).found;
    const isUntold =
      untoldReason(untold, tokenType, isPriced) !== null ||
      (tokenType === 'prompt' && hasUntoldWrites(untold, isPriced));
    const override = costPrices.find(
      (price) => this.#canonical(price.model) === planModel && price.tokenType === tokenType,
    );
    return {
      key: withoutFeatures.some((name) => nameKey(name) === nameKey(feature))
        ? null
        : { model, feature, tokenType },
      planKey: { model: planModel, feature, tokenType },
      picoUsdPerToken:
        override !== undefined
          ? parseDecimal(override.usdPerMillion, PICO_DIGITS - 6)
          : found.found && !isUntold
            ? found.picoUsdPerToken
            : null,
    };
  }

  #monthRates(plan: Plan, monthStart: Date): MonthRates {
    const known = this.#ratesByMonth.get(monthStart.getTime());
    if (known !== undefined) return known;
    const { rates, minimumAmountMinor } = planRatesAt(plan, monthStart, this.#book);
    const prepared = {
      rates: rates.map((rate) => ({ ...rate, model: this.#canonical(rate.model) })),
      minimums: minimumAmountMinor === 0n ? [] : [{ minimumMinor: minimumAmountMinor, meterIds: null }],
    };
    this.#ratesByMonth.set(monthStart.getTime(), prepared);
    return prepared;
  }

  #canonical(model: string): string {
    return resolveModel(this.#book, { model })?.model ?? modelKey(model);
  }
}

/** A plan that asks for every token what it costs and so much more. */
function markupPlan(percent: string, currency: string): Plan {
  const price = { kind: 'markup' as const, percent, deploymentType: 'global' as const };
  return {
    planId: 'scenario-markup',
    name: 'markup',
    currency,
    features: [],
    globalMarkups: [],
    versions: [
      {
        versionId: 'scenario-markup',
        effectiveFrom: '1970-01-01T00:00:00Z',
        note: null,
        markupPercent: percent,
        taxBehavior: null,
        taxCode: null,
        minimum: null,
        rates: [{ model: '*', feature: '*', tokenType: '*', price, includedTokens: null }],
      },
    ],
  };
}
