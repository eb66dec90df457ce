import { formatDecimal, formatPico, minorUnitDigits, PICO_DIGITS } from '../../pricing/money.ts';
import type { PriceBook } from '../../pricing/price-book.ts';
import { AS_IT_IS, PreparedScenario, type Scenario, type ScenarioOutcome } from '../../pricing/scenario.ts';
import {
  addOutcomes,
  costOf,
  marginDeltaOf,
  marginOf,
  revenueOf,
  type ScenarioFigure,
} from '../../pricing/scenario-compare.ts';
import type { Clock, TimeWindow } from '../clock.ts';
import type { LedgerDatabase } from '../ledger/database.ts';
import { type ScannedCustomer, scanCustomers } from '../ledger/simulation-scan.ts';
import {
  finishSimulation,
  insertSimulatedCustomers,
  readFarthestCustomers,
  readSimulationScope,
  type SimulatedCustomer,
} from '../ledger/simulations.ts';
import type { SimulatedFigures, SimulationResult } from './simulation-schemas.ts';

/** Winners and losers named in the answer; the others are in its list of customers. */
const FARTHEST_COUNT = 10;

export interface SimulationProgress {
  ratedCustomerCount: number;
}

/**
 * Rates every customer's period as it was and under each scenario, in one scan of the stored usage, and stores what
 * each customer comes to with the totals: all of it or, when something fails, nothing.
 */
export async function runSimulation(
  { database, clock }: { database: LedgerDatabase; clock: Clock },
  simulation: { simulationId: string; window: TimeWindow; scenarios: readonly Scenario[]; book: PriceBook },
  onProgress: (progress: SimulationProgress) => Promise<void> | void,
): Promise<SimulationResult> {
  const { simulationId, window, scenarios, book } = simulation;
  const names = [AS_IT_IS, ...scenarios].map(({ name }) => name);
  const prepared = [AS_IT_IS, ...scenarios].map((scenario) => new PreparedScenario(scenario, book));
  const totals = new Totals(names);
  const scope = await readSimulationScope(database, window);
  return await database.transaction().execute(async (transaction) => {
    let ratedCustomerCount = 0;
    for await (const batch of scanCustomers(transaction, window, book)) {
      const rated = batch.map((customer) => rateCustomer(customer, prepared, book.currency));
      for (const { customer, outcomes } of rated) totals.add(customer.customerId === null, outcomes);
      await insertSimulatedCustomers(
        transaction,
        simulationId,
        rated.map(({ customer, outcomes, deltas }) => toStored(customer, outcomes, deltas, names)),
      );
      ratedCustomerCount += batch.length;
      await onProgress({ ratedCustomerCount });
    }
    const result: SimulationResult = {
      customerCount: totals.customerCount,
      totals: totals.show(book.currency),
      scenarios: await Promise.all(
        scenarios.map(async ({ name }, index) => ({
          scenario: name,
          winners: await readFarthest('up', index),
          losers: await readFarthest('down', index),
        })),
      ),
      overhead: formatPico(scope.idlePicoUsd),
      unratedDayCount: Number(scope.dueDayCount),
    };
    await finishSimulation(transaction, simulationId, { result, error: null, now: clock.now() });
    return result;

    async function readFarthest(direction: 'up' | 'down', index: number) {
      const found = await readFarthestCustomers(transaction, simulationId, index, direction, FARTHEST_COUNT);
      return found.map(({ customerId, currency, marginDelta }) => ({
        customerId,
        currency,
        marginDelta: showPicoMinor(marginDelta, currency),
      }));
    }
  });
}

function rateCustomer(
  customer: ScannedCustomer,
  prepared: readonly PreparedScenario[],
  costCurrency: string,
): { customer: ScannedCustomer; outcomes: ScenarioOutcome[]; deltas: ScenarioFigure[] } {
  const outcomes = prepared.map((scenario) => scenario.rate(customer));
  const [baseline, ...others] = outcomes;
  const deltas =
    baseline === undefined ? [] : others.map((outcome) => marginDeltaOf(baseline, outcome, costCurrency));
  return { customer, outcomes, deltas };
}

function toStored(
  customer: ScannedCustomer,
  outcomes: readonly ScenarioOutcome[],
  deltas: readonly ScenarioFigure[],
  names: readonly string[],
): SimulatedCustomer {
  return {
    customerId: customer.customerId,
    currency: customer.billed?.currency ?? '',
    figures: outcomes.map((outcome, index) => showFigures(outcome, names[index] ?? '')),
    marginDeltas: deltas.map(({ value }) => value),
  };
}

/** Sums by the currency of the baseline; under a scenario in another currency they are apart again. */
class Totals {
  readonly #names: readonly string[];
  readonly #byCurrency = new Map<string, { customerCount: number; sums: Map<string, ScenarioOutcome>[] }>();
  customerCount = 0;

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  add(isNobody: boolean, outcomes: readonly ScenarioOutcome[]): void {
    if (!isNobody) this.customerCount += 1;
    const key = outcomes[0]?.currency ?? '';
    const entry = this.#byCurrency.get(key) ?? { customerCount: 0, sums: outcomes.map(() => new Map()) };
    this.#byCurrency.set(key, entry);
    if (!isNobody) entry.customerCount += 1;
    for (const [index, outcome] of outcomes.entries()) {
      const sums = entry.sums[index];
      const known = sums?.get(outcome.currency ?? '');
      sums?.set(outcome.currency ?? '', known === undefined ? outcome : addOutcomes(known, outcome));
    }
  }

  show(costCurrency: string): SimulationResult['totals'] {
    return [...this.#byCurrency]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([currency, { customerCount, sums }]) => ({
        currency: currency === '' ? null : currency,
        customerCount,
        figures: sums.flatMap((byCurrency, index) =>
          [...byCurrency.values()].map((outcome) =>
            showFigures(outcome, this.#names[index] ?? '', costCurrency),
          ),
        ),
      }));
  }
}

function showFigures(outcome: ScenarioOutcome, scenario: string, costCurrency = 'usd'): SimulatedFigures {
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
    margin: figure(marginOf(outcome, costCurrency), (value) => showPicoMinor(value, currency ?? 'usd')),
  };
}

/** Pico of a minor unit, in the currency's unit. */
export function showPicoMinor(picoMinor: bigint, currency: string): string {
  return formatDecimal(picoMinor, PICO_DIGITS + minorUnitDigits(currency), 2);
}
