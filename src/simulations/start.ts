import { decideScenarios } from '../../pricing/simulations/question.ts';
import type { Clock } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { toTallystickError } from '../platform/errors.ts';
import { randomText } from '../platform/random-text.ts';
import { gatherScenarioFacts, gatherSimulatedCustomers } from './gather.ts';
import { runSimulation, type SimulationProgress } from './run.ts';
import type { SimulationBody, SimulationRequest } from './schemas.ts';
import { showSimulation } from './show.ts';
import { finishSimulation, insertSimulation } from './simulations.ts';
import { readSimulationWindow } from './window.ts';

interface StartedSimulation {
  simulationId: string;
  finish(onProgress: (progress: SimulationProgress) => void): Promise<SimulationBody>;
}

/**
 * Checks and stores what is asked; nothing is worked out before `finish`.
 * @throws Refusal, see `decideScenarios`; ValidationError for a period or customers that mean nothing; TallystickError
 *   UNKNOWN_CUSTOMER
 */
export async function startSimulation(
  { database, clock }: { database: LedgerDatabase; clock: Clock },
  request: SimulationRequest,
  actor: string,
): Promise<StartedSimulation> {
  const now = clock.now();
  const window = readSimulationWindow(request, now);
  const { facts, customerIds } = await readSnapshot(database, async (snapshot) => {
    const of = await gatherSimulatedCustomers(snapshot, request);
    return { customerIds: of, facts: await gatherScenarioFacts(snapshot, request.scenarios, window, of) };
  });
  const scenarios = decideScenarios(request.scenarios, window.start, facts);
  const { priceBook: book } = facts;
  const simulationId = `sim_${randomText(16)}`;
  await insertSimulation(database, {
    simulationId,
    request,
    window,
    priceBookVersion: book.version,
    createdBy: actor,
    createdAt: now,
  });
  return {
    simulationId,
    finish: async (onProgress) => {
      try {
        const simulation = { simulationId, window, scenarios, book, customerIds };
        return showSimulation(await runSimulation({ database, clock }, simulation, onProgress), clock.now());
      } catch (error) {
        const { code } = toTallystickError(error);
        await finishSimulation(database, simulationId, { result: null, error: code, now: clock.now() });
        throw error;
      }
    },
  };
}
