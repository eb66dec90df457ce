import type { Conversions } from '../../pricing/exchange/rates.ts';
import { formatDecimal, formatPico, formatPicoMinor, minorUnitDigits } from '../../pricing/money.ts';
import { unknownPercent } from '../../pricing/rating/margin.ts';
import {
  conversionOf,
  costOf,
  knownMarginOf,
  knownOf,
  marginOf,
  revenueOf,
  type ScenarioFigure,
} from '../../pricing/simulations/compare.ts';
import type { ScenarioOutcome } from '../../pricing/simulations/scenario.ts';
import type { CurrencyTotals } from '../../pricing/simulations/totals.ts';
import { showConversion } from '../costs/exchange/schemas.ts';
import { HOUR_MS } from '../platform/clock.ts';
import type { SimulatedFigures, SimulationBody, SimulationResult } from './schemas.ts';
import type { SimulatedCustomer, StoredSimulation } from './simulations.ts';

/** A year of a thousand customers takes minutes. */
const LONGEST_RUN_MS = HOUR_MS;

/** A stored simulation as the API shows it. */
export function showSimulation(stored: StoredSimulation, now: Date): SimulationBody {
  return { ...showSimulationHead(stored, now), result: stored.result as SimulationBody['result'] };
}

/** The same without its result. */
export function showSimulationHead(stored: StoredSimulation, now: Date): Omit<SimulationBody, 'result'> {
  // Who worked it out was killed: nobody will ever end it.
  const isAbandoned =
    stored.status === 'running' && now.getTime() - stored.createdAt.getTime() > LONGEST_RUN_MS;
  return {
    simulationId: stored.simulationId,
    status: isAbandoned ? 'failed' : stored.status,
    from: stored.window.start.toISOString(),
    to: stored.window.end.toISOString(),
    priceBookVersion: stored.priceBookVersion,
    createdAt: stored.createdAt.toISOString(),
    createdBy: stored.createdBy,
    request: stored.request,
    lastError: isAbandoned ? 'ABANDONED' : stored.lastError,
  };
}

/** What a customer comes to, as it is stored already. */
export function showSimulatedCustomer({ customerId, currency, figures, marginDeltas }: SimulatedCustomer) {
  return {
    customerId,
    currency: currency === '' ? null : currency,
    figures: figures as SimulatedFigures[],
    marginDeltas: marginDeltas.map((delta) => (delta === null ? null : formatPicoMinor(delta, currency))),
  };
}

/** @param names of the baseline and of each scenario */
export function showTotals(
  totals: readonly CurrencyTotals[],
  names: readonly string[],
  conversions: Conversions,
): SimulationResult['totals'] {
  return totals.map(({ currency, customerCount, outcomes }) => ({
    currency,
    customerCount,
    figures: outcomes.flatMap((ofScenario, index) =>
      ofScenario.map((outcome) => showFigures(outcome, names[index] ?? '', conversions)),
    ),
  }));
}

export function showFigures(
  outcome: ScenarioOutcome,
  scenario: string,
  conversions: Conversions,
): SimulatedFigures {
  const { currency } = outcome;
  const minor = (value: bigint) =>
    currency === null ? '0' : formatDecimal(value, minorUnitDigits(currency), minorUnitDigits(currency));
  const figure = ({ value, reason }: ScenarioFigure, show: (value: bigint) => string) =>
    value === null ? { amount: null, reason } : { amount: show(value), reason: null };
  return {
    scenario,
    currency,
    tokenCount: String(outcome.tokenCount),
    revenue: figure(revenueOf(outcome), minor),
    ratedRevenue: currency === null ? null : minor(outcome.ratedRevenueMinor),
    unratedTokenCount: String(outcome.unratedTokenCount),
    cost: figure(costOf(outcome), formatPico),
    knownCost: formatPico(outcome.knownCostPicoUsd),
    unknownCostTokenCount: String(outcome.unknownCostTokenCount),
    margin: figure(marginOf(outcome, conversions), (value) => formatPicoMinor(value, currency ?? 'usd')),
    knownMargin: figure(knownMarginOf(outcome, conversions), (value) =>
      formatPicoMinor(value, currency ?? 'usd'),
    ),
    unknownTokenPercent: unknownPercent(outcome.tokenCount, knownOf(outcome).tokenCount),
    exchange: showConversion(conversionOf(outcome, conversions)),
  };
}
