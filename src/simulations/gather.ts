import { type AskedScenario, namedFeatures, type ScenarioFacts } from '../../pricing/simulations/question.ts';
import { unknownCustomer } from '../catalog/customers.ts';
import { readPlans } from '../plans/plans.ts';
import { readPlanSubscribers } from '../plans/subscribers.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';
import { ValidationError } from '../platform/errors.ts';
import { readPriceBook } from '../prices/book.ts';
import { listUsedFeatures } from '../quotes/usage-queries.ts';
import type { SimulationRequest } from './schemas.ts';
import { readSimulationScope, readUsageExtent } from './simulations.ts';

/** Everything by which a simulation's question is understood or refused, read in one snapshot. */
export async function gatherScenarioFacts(
  snapshot: LedgerSnapshot,
  asked: readonly AskedScenario[],
  window: TimeWindow,
  customerIds: readonly string[] | null,
): Promise<ScenarioFacts> {
  const { hasUsage } = await readSimulationScope(snapshot, window, customerIds);
  return {
    priceBook: await readPriceBook(snapshot),
    plans: asked.some(({ plan }) => plan !== undefined) ? await readPlans(snapshot) : [],
    usedFeatures: namedFeatures(asked).length > 0 ? await listUsedFeatures(snapshot, window) : [],
    hasUsage,
    extent: hasUsage ? null : await readUsageExtent(snapshot),
  };
}

/**
 * Whose usage is meant; null: everybody's, and nobody's.
 * @throws TallystickError UNKNOWN_CUSTOMER; ValidationError for a plan that nobody is on
 */
export async function gatherSimulatedCustomers(
  snapshot: LedgerSnapshot,
  { customerIds, customersOfPlan }: Pick<SimulationRequest, 'customerIds' | 'customersOfPlan'>,
): Promise<string[] | null> {
  if (customersOfPlan !== undefined) {
    const subscribers = await readPlanSubscribers(snapshot, customersOfPlan);
    if (subscribers.length > 0) return [...new Set(subscribers.map(({ customerId }) => customerId))];
    const plans = [...new Set((await readPlanSubscribers(snapshot)).map(({ planId }) => planId))];
    throw new ValidationError(
      'customersOfPlan',
      `nobody has an active subscription to ${JSON.stringify(customersOfPlan)}`,
      plans.length === 0 ? 'Nobody is on any plan.' : `Customers are on ${plans.slice(0, 50).join(', ')}.`,
    );
  }
  if (customerIds === undefined) return null;
  const rows = await snapshot
    .selectFrom('customers')
    .select('customer_id')
    .where('customer_id', 'in', customerIds)
    .execute();
  const known = new Set(rows.map((row) => row.customer_id));
  const unknown = customerIds.find((customerId) => !known.has(customerId));
  if (unknown !== undefined) throw unknownCustomer(unknown);
  return [...known];
}
