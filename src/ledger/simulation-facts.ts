import { type AskedScenario, namedFeatures, type ScenarioFacts } from '../../pricing/scenario-question.ts';
import type { TimeWindow } from '../clock.ts';
import { readPlans } from './plans.ts';
import { readPriceBook } from './price-book.ts';
import { listUsedFeatures } from './quote-usage.ts';
import { readSimulationScope, readUsageExtent } from './simulations.ts';
import type { LedgerSnapshot } from './snapshot.ts';

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
