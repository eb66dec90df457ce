import type { PeriodMinimum } from '../invoices/minimum.ts';
import { divideHalfUp, PICO_DIGITS, parseDecimal } from '../money.ts';
import type { Plan } from '../plans/plan.ts';
import { unitAmountOf, wholeMinorOf } from '../plans/price.ts';
import { planRatesAt } from '../plans/rates.ts';
import { findPrice, hasPrice, resolveModel } from '../prices/lookup.ts';
import type { PriceBook, PriceQuery } from '../prices/price-book.ts';
import { findSellRate, type RateKey, type SellRate } from '../rating/sell-rates.ts';
import { modelKey, nameKey } from '../usage/names.ts';
import type { TokenType } from '../usage/tokens.ts';
import { hasUntoldWrites, untoldReason } from '../usage/untold.ts';
import {
  changeFactor,
  factorOf,
  type PercentChange,
  type Rateable,
  type ScenarioLine,
  scaled,
  UNCHANGED,
} from './change.ts';
import { knownPart, rateMonth } from './rate-month.ts';

import type { Scenario, ScenarioCustomer, ScenarioKind, ScenarioOutcome } from './scenario.ts';

interface PreparedKind {
  /** What it is rated as; null: the usage does not happen. */
  key: RateKey | null;
  planKey: RateKey;
  /** Null: unknown. */
  picoUsdPerToken: bigint | null;
  /** What it brings by its rate is multiplied by, in millionths. */
  factor: bigint;
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
  readonly #costChanges: readonly PercentChange[];
  readonly #sellChanges: readonly PercentChange[];
  readonly #minimums: readonly PeriodMinimum[];
  /** What a discount leaves of a month, in millionths. */
  readonly #discounted: bigint;

  constructor(scenario: Scenario, book: PriceBook) {
    this.#scenario = scenario;
    this.#book = book;
    this.#plan =
      scenario.markupPercent === null ? scenario.plan : markupPlan(scenario.markupPercent, book.currency);
    const canonical = <Change extends { model: string }>(change: Change) => ({
      ...change,
      model: change.model === '*' ? '*' : this.#canonical(change.model),
    });
    this.#costChanges = scenario.costChanges.map((change) => ({ ...canonical(change), feature: '*' }));
    this.#sellChanges = scenario.sellChanges.map(canonical);
    const { minimum, discountPercent } = scenario;
    const minimumMinor = minimum === null ? 0n : wholeMinorOf(minimum.amount, minimum.currency);
    this.#minimums = minimumMinor === 0n ? [] : [{ minimumMinor, meterIds: null }];
    this.#discounted = discountPercent === null ? UNCHANGED : factorOf(`-${discountPercent}`);
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
      const counted = { tokenCount, picoUsdPerToken };
      if (isOverridden) month.overridden.push({ ...prepared.planKey, ...counted, factor: UNCHANGED });
      else month.stated.push({ model, feature, tokenType, ...counted, factor: prepared.factor });
    }
    if (payer === null) return outcome;
    const lines: ScenarioLine[] = [];
    for (const { monthStart, stated, overridden } of months.values()) {
      const { rates, minimums: planned } =
        this.#plan === null
          ? {
              rates: payer.rates,
              minimums: (payer.minimums ?? []).filter((one) => +one.monthStart === +monthStart),
            }
          : this.#monthRates(this.#plan, monthStart);
      const minimums = this.#scenario.minimum?.currency === currency ? this.#minimums : planned;
      const month = rateMonth(
        { stated, overridden, rates, overrides, factorOfRate: (rate) => this.#factorOf(rate) },
        { minimums, currency: currency ?? payer.currency },
      );
      outcome.ratedRevenueMinor += divideHalfUp(month.revenueMinor * this.#discounted, UNCHANGED);
      outcome.unratedTokenCount += month.unratedTokenCount;
      for (const line of month.lines) lines.push(line);
    }
    if (outcome.unratedTokenCount !== 0n || outcome.unknownCostTokenCount !== 0n) {
      outcome.known = knownPart(lines, customer.provisionedCostPicoUsd, this.#discounted);
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
    const swaps = modelSwaps.filter(({ from }) => this.#canonical(from) === canonical);
    const swap =
      swaps.find((one) => one.feature !== undefined && nameKey(one.feature) === nameKey(feature)) ??
      swaps.find((one) => one.feature === undefined);
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
            ...(own.found
              ? {
                  deploymentType: own.row.deploymentType,
                  region: own.row.region,
                  serviceTier: own.row.serviceTier,
                }
              : {}),
          };
    const found = swap === undefined ? own : findPrice(this.#book, served, tokenType);
    const isPriced = (part: TokenType) => hasPrice(findPrice(this.#book, served, part));
    const isUntold =
      untoldReason(untold, tokenType, isPriced) !== null ||
      (tokenType === 'prompt' && hasUntoldWrites(untold, isPriced));
    const override = costPrices.find(
      (price) => this.#canonical(price.model) === planModel && price.tokenType === tokenType,
    );
    const key = { model: planModel, feature, tokenType };
    return {
      key: withoutFeatures.some((name) => nameKey(name) === nameKey(feature))
        ? null
        : { model, feature, tokenType },
      planKey: key,
      factor: this.#factorOf(key),
      picoUsdPerToken:
        override !== undefined
          ? parseDecimal(override.usdPerMillion, PICO_DIGITS - 6)
          : found.found && !isUntold
            ? scaled(found.picoUsdPerToken, changeFactor(this.#costChanges, key))
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

  #factorOf({ model, feature, tokenType }: RateKey): bigint {
    if (this.#sellChanges.length === 0) return UNCHANGED;
    const named = model === '*' ? '*' : this.#canonical(model);
    return changeFactor(this.#sellChanges, { model: named, feature, tokenType });
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
