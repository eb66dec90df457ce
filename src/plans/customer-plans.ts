import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** A plan whose prices a customer pays. */
export interface CustomerPlan {
  planId: string;
  /** As the plan is called now; null: it is marked so at Stripe, and the ledger has no such plan. */
  name: string | null;
  /** Null: of no version that is told. */
  versionId: string | null;
  currency: string;
}

export interface CustomerPlans {
  plans: CustomerPlan[];
  /** Active subscription items at prices that are of no plan. */
  ownPriceCount: number;
}

/** By what a customer's active subscription items are priced, as Stripe's prices are marked. */
export async function readCustomerPlans(
  database: LedgerDatabase,
  customerId: string,
): Promise<CustomerPlans> {
  const { rows } = await sql<Omit<CustomerPlan, 'planId'> & { planId: string | null; itemCount: number }>`
    select item.price_plan as "planId", newest.content->>'name' as name, item.price_plan_version as "versionId", item.currency,
      count(*)::int as "itemCount"
    from subscription_items as item
    left join lateral (
      select content from plan_versions as version where version.plan_id = item.price_plan
      order by effective_from desc, plan_version_id desc limit 1) as newest on true
    where item.customer_id = ${customerId} and item.active
    group by 1, 2, 3, 4 order by 1, 3, 4`.execute(database);
  return {
    plans: rows.flatMap(({ planId, name, versionId, currency }) =>
      planId === null ? [] : [{ planId, name, versionId, currency }],
    ),
    ownPriceCount: rows.reduce((sum, { planId, itemCount }) => sum + (planId === null ? itemCount : 0), 0),
  };
}
