import { type AskedScenario, namedFeatures, type ScenarioFacts } from '../../pricing/simulations/question.ts';
import { readPlans } from '../plans/plans.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';
import { readPriceBook } from '../prices/book.ts';
import { listUsedFeatures } from '../quotes/usage-queries.ts';
import { readSimulationScope, readUsageExtent } from './simulations.ts';

/** Everything by which a simulation's question is understood or refused, read in one snapshot. */
export async function gatherScenarioFacts(
  snapshot: LedgerSnapshot,
  asked: readonly AskedScenario[],
  window: TimeWindow,
): Promise<ScenarioFacts> {
  const { hasUsage } = await readSimulationScope(snapshot, window);
  return {
    priceBook: await readPriceBook(snapshot),
    plans: asked.some(({ plan }) => plan !== undefined) ? await readPlans(snapshot) : [],
    usedFeatures: namedFeatures(asked).length > 0 ? await listUsedFeatures(snapshot, window) : [],
    hasUsage,
    extent: hasUsage ? null : await readUsageExtent(snapshot),
  };
}
