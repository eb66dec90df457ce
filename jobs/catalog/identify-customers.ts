import type { CatalogCustomer } from '../../src/catalog/catalog-customers.ts';
import type { BillingCustomer } from '../../src/stripe/port.ts';

/** A customer is known by its tenant where Stripe's metadata names one, else by its Stripe id. */
export function identifyCustomers(
  customers: readonly BillingCustomer[],
  metadataKey: string,
): { customers: CatalogCustomer[]; problems: string[] } {
  const problems: string[] = [];
  const ownerByTenant = new Map<string, string>();
  const identified = customers.map((customer): CatalogCustomer => {
    const named = customer.metadata[metadataKey]?.trim() || null;
    const owner = named === null ? undefined : ownerByTenant.get(named);
    if (owner !== undefined) {
      problems.push(
        `Stripe customers ${owner} and ${customer.stripeCustomerId} both claim tenant ${named}; the first keeps it.`,
      );
    }
    const tenantKey = owner === undefined && !customer.deleted ? named : null;
    if (tenantKey !== null) ownerByTenant.set(tenantKey, customer.stripeCustomerId);
    return {
      customerId: tenantKey ?? customer.stripeCustomerId,
      stripeCustomerId: customer.stripeCustomerId,
      tenantKey,
      name: customer.name,
      currency: customer.currency,
      deleted: customer.deleted,
    };
  });
  return { customers: identified, problems };
}
