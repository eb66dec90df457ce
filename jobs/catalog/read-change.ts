import { findUnknownReferences } from '../../src/catalog/reads.ts';
import { noTargets } from '../../src/stripe/event-targets.ts';
import type { BillingCatalogChange } from '../../src/stripe/port.ts';
import type { JobDependencies } from '../dependencies.ts';

/**
 * Adds the customers and meters that the change refers to and the ledger does not know: events come in any order.
 * An item whose meter cannot be had, or is of a kind that we do not know, has none.
 */
export async function completeChange(
  deps: JobDependencies,
  change: BillingCatalogChange,
  invoicesSince: Date,
  signal?: AbortSignal,
): Promise<BillingCatalogChange> {
  const items = change.subscriptions.flatMap((subscription) => subscription.items);
  const read = {
    stripeCustomerIds: change.customers.map((customer) => customer.stripeCustomerId),
    stripeMeterIds: change.meters.map((meter) => meter.stripeMeterId),
  };
  const unknown = await findUnknownReferences(deps.database, {
    stripeCustomerIds: [...items, ...change.invoices]
      .map((row) => row.stripeCustomerId)
      .filter((id) => !read.stripeCustomerIds.includes(id)),
    stripeMeterIds: items
      .flatMap((item) => item.stripeMeterId ?? [])
      .filter((id) => !read.stripeMeterIds.includes(id)),
  });
  const more = await deps.billing.readCatalogObjects(
    { ...noTargets(), customerIds: unknown.stripeCustomerIds, meterIds: unknown.stripeMeterIds },
    { invoicesSince },
    signal,
  );
  const missing = new Set(unknown.stripeMeterIds);
  for (const meter of more.meters) missing.delete(meter.stripeMeterId);
  return {
    ...change,
    customers: [...change.customers, ...more.customers],
    meters: [...change.meters, ...more.meters],
    subscriptions: change.subscriptions.map((subscription) => ({
      ...subscription,
      items: subscription.items.map((item) =>
        item.stripeMeterId !== null && missing.has(item.stripeMeterId)
          ? { ...item, stripeMeterId: null }
          : item,
      ),
    })),
  };
}
