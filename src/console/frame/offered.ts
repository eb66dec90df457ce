import type { Plan } from '../../../pricing/plans/plan.ts';
import { type Customer, listCustomers } from '../../catalog/customers.ts';
import { readPlans } from '../../plans/plans.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { readPriceBook } from '../../prices/book.ts';

/** What forms offer to choose from; anything else may be typed. */
export interface Offered {
  models: readonly string[];
  features: readonly string[];
  customers: readonly Customer[];
  plans: readonly Plan[];
}

/** More are typed and not chosen. */
const MOST_CUSTOMERS = 1_000;

export async function gatherOffered(snapshot: LedgerSnapshot): Promise<Offered> {
  const customers = await listCustomers(snapshot, { afterCustomerId: null, limit: MOST_CUSTOMERS });
  const features = await snapshot
    .selectFrom('daily_costs')
    .select('feature')
    .distinct()
    .where('feature', '!=', '')
    .orderBy('feature')
    .execute();
  return {
    models: (await readPriceBook(snapshot)).models,
    features: features.map(({ feature }) => feature),
    customers: customers.filter(({ deletedAt }) => deletedAt === null),
    plans: await readPlans(snapshot),
  };
}
