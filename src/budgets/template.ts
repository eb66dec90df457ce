import { EXPERIMENTATION } from '../../pricing/budgets/templates.ts';
import { getCustomer, putCustomer } from '../catalog/customers.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';
import type { Actor } from './desk.ts';

/**
 * The customer of experiments, where there is none of this id; one that is there stays as it is.
 * @throws TallystickError CONFLICT when another customer has the tenant key
 */
export async function makeTemplateCustomer(
  database: LedgerDatabase,
  customer: Actor & { customerId: string; tenantKey: string },
): Promise<void> {
  try {
    await getCustomer(database, customer.customerId);
  } catch (error) {
    if (!(error instanceof TallystickError) || error.code !== 'UNKNOWN_CUSTOMER') throw error;
    await putCustomer(database, { ...customer, name: EXPERIMENTATION.name, stripeCustomerId: null });
  }
}
