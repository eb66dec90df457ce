import { formatPico, formatPicoMinor } from '../../pricing/money.ts';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import { marginDeltaOf } from '../../pricing/simulations/compare.ts';
import { PreparedScenario } from '../../pricing/simulations/prepared.ts';
import { AS_IT_IS, type Scenario } from '../../pricing/simulations/scenario.ts';
import { ScenarioTotals } from '../../pricing/simulations/totals.ts';
import { readConversions } from '../costs/exchange/rates.ts';
import type { Clock, TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { holdSimulation } from './cut.ts';
import { scanCustomers } from './scan.ts';
import type { SimulationResult } from './schemas.ts';
import { showFigures, showTotals } from './show.ts';
import {
  finishSimulation,
  insertSimulatedCustomers,
  readBilledCurrencies,
  readFarthestCustomers,
  readSimulationScope,
  type StoredSimulation,
} from './simulations.ts';

/** Winners and losers named in the answer; the others are in its list of customers. */
const FARTHEST_COUNT = 10;

export interface SimulationProgress {
  ratedCustomerCount: number;
}

/**
 * Rates every customer's period as it was and under each scenario, in one scan of the stored usage, and stores what
 * each customer comes to with the totals: all of it or, when something fails, nothing. A year does not fit into
 * memory, so that it is gathered, decided and stored batch by batch, in one transaction and by one snapshot.
 * @param onProgress is not waited for: the transaction is open meanwhile
 */
export async function runSimulation(
  { database, clock }: { database: LedgerDatabase; clock: Clock },
  simulation: {
    simulationId: string;
    window: TimeWindow;
    scenarios: readonly Scenario[];
    book: PriceBook;
    /** Null: everybody, and nobody's usage. */
    customerIds: readonly string[] | null;
  },
  onProgress: (progress: SimulationProgress) => void,
): Promise<StoredSimulation> {
  const { simulationId, window, book, customerIds } = simulation;
  const scenarios = [AS_IT_IS, ...simulation.scenarios];
  const names = scenarios.map(({ name }) => name);
  const prepared = scenarios.map((scenario) => new PreparedScenario(scenario, book));
  const totals = new ScenarioTotals();
  return await database
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (transaction) => {
      await holdSimulation(transaction, simulationId);
      const scope = await readSimulationScope(transaction, window, customerIds);
      const conversions = await readConversions(transaction, {
        window,
        currencies: await readBilledCurrencies(transaction, simulation.scenarios),
        now: clock.now(),
      });
      let ratedCustomerCount = 0;
      for await (const batch of scanCustomers(transaction, { window, book, customerIds })) {
        const rated = batch.map((customer) => {
          const outcomes = prepared.map((scenario) => scenario.rate(customer));
          totals.add(customer.customerId === null, outcomes);
          const [baseline, ...others] = outcomes;
          return {
            customerId: customer.customerId,
            currency: customer.billed?.currency ?? '',
            figures: outcomes.map((outcome, index) => showFigures(outcome, names[index] ?? '', conversions)),
            marginDeltas:
              baseline === undefined
                ? []
                : others.map((outcome) => marginDeltaOf(baseline, outcome, conversions).value),
          };
        });
        await insertSimulatedCustomers(transaction, simulationId, rated);
        ratedCustomerCount += batch.length;
        onProgress({ ratedCustomerCount });
      }
      const result: SimulationResult = {
        customerCount: totals.customerCount,
        totals: showTotals(totals.list(), names, conversions),
        scenarios: await readFarthest(transaction, simulationId, simulation.scenarios),
        overhead: formatPico(scope.idlePicoUsd),
        unratedDayCount: Number(scope.dueDayCount),
      };
      return await finishSimulation(transaction, simulationId, { result, error: null, now: clock.now() });
    });
}

/** The customers that each scenario moves farthest, of those that were stored. */
async function readFarthest(
  transaction: LedgerTransaction,
  simulationId: string,
  scenarios: readonly Scenario[],
): Promise<SimulationResult['scenarios']> {
  const read = async (direction: 'up' | 'down', index: number) => {
    const found = await readFarthestCustomers(transaction, simulationId, index, direction, FARTHEST_COUNT);
    return found.map(({ customerId, currency, marginDelta }) => ({
      customerId,
      currency,
      marginDelta: formatPicoMinor(marginDelta, currency),
    }));
  };
  const farthest: SimulationResult['scenarios'] = [];
  for (const [index, { name }] of scenarios.entries()) {
    farthest.push({
      scenario: name,
      winners: await read('up', index),
      losers: await read('down', index),
    });
  }
  return farthest;
}
