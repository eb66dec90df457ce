import type { ScenarioOutcome } from './scenario.ts';

/** A dollar has 100 cents: pico-USD times 100 is pico-cents. */
const CENTS = 100n;
const PICO = 10n ** 12n;

type ScenarioReason =
  | 'no_sell_rate'
  | 'no_known_cost'
  | 'nobody_pays'
  | 'currency_differs_from_cost'
  | 'currency_differs_from_baseline'
  | 'revenue_unknown'
  | 'cost_unknown';

/** A figure, or why there is none. */
export type ScenarioFigure = { value: bigint; reason: null } | { value: null; reason: ScenarioReason };

/** Minor units; null while some usage has no rate. */
export function revenueOf(outcome: ScenarioOutcome): ScenarioFigure {
  if (outcome.currency === null) return none('nobody_pays');
  return outcome.unratedTokenCount === 0n ? some(outcome.ratedRevenueMinor) : none('no_sell_rate');
}

/** Pico-USD; null while some usage has no price. */
export function costOf(outcome: ScenarioOutcome): ScenarioFigure {
  return outcome.unknownCostTokenCount === 0n ? some(outcome.knownCostPicoUsd) : none('no_known_cost');
}

/** Revenue less cost in pico of the minor unit; only where both are known and in one currency. */
export function marginOf(outcome: ScenarioOutcome, costCurrency: string): ScenarioFigure {
  const revenue = revenueOf(outcome);
  const cost = costOf(outcome);
  if (revenue.value === null) {
    return revenue.reason === 'nobody_pays' ? revenue : none('revenue_unknown');
  }
  if (cost.value === null) return none('cost_unknown');
  if (outcome.currency !== costCurrency) return none('currency_differs_from_cost');
  return some(revenue.value * PICO - cost.value * CENTS);
}

/** How much the margin is beyond the baseline's, in pico of the minor unit. */
export function marginDeltaOf(
  baseline: ScenarioOutcome,
  outcome: ScenarioOutcome,
  costCurrency: string,
): ScenarioFigure {
  if (baseline.currency !== outcome.currency) return none('currency_differs_from_baseline');
  const before = marginOf(baseline, costCurrency);
  const after = marginOf(outcome, costCurrency);
  if (before.value === null) return before;
  if (after.value === null) return after;
  return some(after.value - before.value);
}

/** Sum of two outcomes in one currency. */
export function addOutcomes(left: ScenarioOutcome, right: ScenarioOutcome): ScenarioOutcome {
  return {
    currency: left.currency,
    tokenCount: left.tokenCount + right.tokenCount,
    ratedRevenueMinor: left.ratedRevenueMinor + right.ratedRevenueMinor,
    unratedTokenCount: left.unratedTokenCount + right.unratedTokenCount,
    knownCostPicoUsd: left.knownCostPicoUsd + right.knownCostPicoUsd,
    unknownCostTokenCount: left.unknownCostTokenCount + right.unknownCostTokenCount,
  };
}

function some(value: bigint): ScenarioFigure {
  return { value, reason: null };
}

function none(reason: ScenarioReason): ScenarioFigure {
  return { value: null, reason };
}
