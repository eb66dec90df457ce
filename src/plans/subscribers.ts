import type { LedgerDatabase } from '../platform/database/database.ts';

/** A customer with an active subscription to a plan. */
export interface PlanSubscriber {
  planId: string;
  /** That made the prices they have; null: nobody wrote it down. */
  versionId: string | null;
  customerId: string;
}

/** Who is on which plan, by plan, version and customer. @param planId of this one alone */
export async function readPlanSubscribers(
  database: LedgerDatabase,
  planId?: string,
): Promise<PlanSubscriber[]> {
  const rows = await database
    .selectFrom('subscription_items')
    .select(['price_plan', 'price_plan_version as versionId', 'customer_id as customerId'])
    .distinct()
    .where('active', '=', true)
    .where('price_plan', 'is not', null)
    .$if(planId !== undefined, (query) => query.where('price_plan', '=', planId ?? ''))
    .orderBy('price_plan')
    .orderBy('price_plan_version')
    .orderBy('customer_id')
    .execute();
  return rows.map(({ price_plan, ...row }) => ({ planId: price_plan ?? '', ...row }));
}
