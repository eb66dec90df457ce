import {
  type Conversion,
  type ConversionMiss,
  type Conversions,
  conversionFor,
  costInMinor,
} from '../exchange/rates.ts';
import { addKnown, type KnownMargin } from '../rating/margin.ts';
import type { ScenarioOutcome } from './scenario.ts';

const PICO = 10n ** 12n;

type ScenarioReason =
  | 'no_sell_rate'
  | 'no_known_cost'
  | 'nobody_pays'
  | 'currency_differs_from_baseline'
  | 'unknown_differs_from_baseline'
  | 'revenue_unknown'
  | 'cost_unknown'
  | ConversionMiss;

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

/** By what the costs of an outcome are converted; null: they are in its currency, or nobody pays. */
export function conversionOf(
  { currency }: ScenarioOutcome,
  conversions: Conversions,
): Conversion | ConversionMiss | null {
  return currency === null ? null : conversionFor(currency, conversions);
}

/** Revenue less cost in pico of the minor unit; only where both are known. */
export function marginOf(outcome: ScenarioOutcome, conversions: Conversions): ScenarioFigure {
  const revenue = revenueOf(outcome);
  const cost = costOf(outcome);
  if (revenue.value === null) {
    return revenue.reason === 'nobody_pays' ? revenue : none('revenue_unknown');
  }
  if (cost.value === null) return none('cost_unknown');
  return lessCost(outcome, revenue.value * PICO, cost.value, conversions);
}

/** The margin of what is known; the same as the margin where all is. */
export function knownMarginOf(outcome: ScenarioOutcome, conversions: Conversions): ScenarioFigure {
  if (outcome.currency === null) return none('nobody_pays');
  const { revenuePicoMinor, costPicoUsd } = knownOf(outcome);
  return lessCost(outcome, revenuePicoMinor, costPicoUsd, conversions);
}

/** What is known of both revenue and cost. */
export function knownOf(outcome: ScenarioOutcome): KnownMargin {
  return (
    outcome.known ?? {
      tokenCount: outcome.tokenCount,
      revenuePicoMinor: outcome.ratedRevenueMinor * PICO,
      costPicoUsd: outcome.knownCostPicoUsd,
    }
  );
}

/**
 * How much the margin is beyond the baseline's, in pico of the minor unit. Where something is unknown it is that of the known
 * part, as long as as many tokens are unknown in both: else the difference would be one of knowing.
 */
export function marginDeltaOf(
  baseline: ScenarioOutcome,
  outcome: ScenarioOutcome,
  conversions: Conversions,
): ScenarioFigure {
  if (baseline.currency !== outcome.currency) return none('currency_differs_from_baseline');
  const unknownOf = (one: ScenarioOutcome) => one.tokenCount - knownOf(one).tokenCount;
  if (unknownOf(baseline) !== unknownOf(outcome)) return none('unknown_differs_from_baseline');
  const before = knownMarginOf(baseline, conversions);
  const after = knownMarginOf(outcome, conversions);
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
    known: left.known === null && right.known === null ? null : addKnown(knownOf(left), knownOf(right)),
  };
}

function lessCost(
  outcome: ScenarioOutcome,
  revenuePicoMinor: bigint,
  costPicoUsd: bigint,
  conversions: Conversions,
): ScenarioFigure {
  const conversion = conversionOf(outcome, conversions);
  if (typeof conversion === 'string') return none(conversion);
  return some(revenuePicoMinor - costInMinor(costPicoUsd, conversion));
}

function some(value: bigint): ScenarioFigure {
  return { value, reason: null };
}

function none(reason: ScenarioReason): ScenarioFigure {
  return { value: null, reason };
}
