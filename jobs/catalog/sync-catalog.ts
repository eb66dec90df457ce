import { type ForeignPrice, readForeignPrices } from '../../src/catalog/bound-item.ts';
import { storeCatalog } from '../../src/catalog/catalog.ts';
import { findVanishedSubscriptions } from '../../src/catalog/items.ts';
import { readCatalogSilence } from '../../src/catalog/progress.ts';
import { addMs, DAY_MS } from '../../src/platform/clock.ts';
import { noTargets } from '../../src/stripe/event-targets.ts';
import type { BillingCatalog, BillingSubscriptionItem } from '../../src/stripe/port.ts';
import { listUnprocessed, markProcessed } from '../../src/webhook-events/events.ts';
import type { JobDependencies } from '../dependencies.ts';
import { afterCatalogChange } from './after-change.ts';
import { identifyCustomers } from './identify-customers.ts';

/** A finalized invoice changes no more; drafts live 72 hours at most, periods a month or so. */
export const INVOICES_BACK_MS = 70 * DAY_MS;
const EVENTS_AT_ONCE = 10_000;
/** As the audit log names it. */
const ACTOR = 'job:sync-catalog';

export interface SyncOutcome {
  customerCount: number;
  subscriptionItemCount: number;
  bindingCount: number;
  /** The catalog had not heard from Stripe for so long that nothing was pushed, and has now. */
  endsSilence: boolean;
  releasedTokenCount: bigint;
  problems: string[];
  /** Metered prices of our customers that somebody else feeds: other lines of their invoices. */
  foreignPrices: ForeignPrice[];
}

/**
 * Brings all customers, subscription items, prices, meters and invoices from Stripe into the ledger, derives the
 * meter bindings from the prices' metadata, makes OpenMeter's meters and customers follow, and takes up
 * quarantined usage that the change has cured. It repairs whatever webhooks have missed, and costs reads with the size of
 * the catalog: `refresh-catalog` follows single changes.
 */
export async function syncCatalog(deps: JobDependencies, signal?: AbortSignal): Promise<SyncOutcome> {
  const now = deps.clock.now();
  // Whatever they tell of is read after this instant: this run answers all of them.
  const due = await listUnprocessed(deps.database, {
    receivedBefore: addMs(now, 1),
    limit: EVENTS_AT_ONCE,
    provider: 'stripe',
  });
  const invoicesSince = addMs(now, -INVOICES_BACK_MS);
  // What Stripe says is kept although OpenMeter fails: usage may wait for it.
  const [read, metersMade] = await Promise.allSettled([
    deps.billing.readCatalog({ invoicesSince }, signal),
    deps.metering.ensureMeters(signal),
  ]);
  if (read.status === 'rejected') throw read.reason;
  const catalog = read.value;
  const problems: string[] = [];
  for (const { eventName, payloadKeys } of catalog.meters) {
    if (payloadKeys.customer === 'stripe_customer_id' && payloadKeys.value === 'value') continue;
    problems.push(
      `The Stripe meter ${eventName} reads "${payloadKeys.customer}" and "${payloadKeys.value}" instead of ` +
        '"stripe_customer_id" and "value"; its usage is held as unusable_meter.',
    );
  }
  const identified = identifyCustomers(catalog.customers, deps.settings.tenantMetadataKey);
  const silentSince = await readCatalogSilence(deps.database, now);
  const ended = await readEndedItems(deps, catalog, invoicesSince, signal);
  const stored = await storeCatalog(
    deps.database,
    {
      ...catalog,
      subscriptionItems: [...catalog.subscriptionItems, ...ended],
      customers: identified.customers,
    },
    { now, actor: ACTOR },
  );
  if (metersMade.status === 'rejected') throw metersMade.reason;
  for (const slug of metersMade.value.different)
    problems.push(`The OpenMeter meter ${slug} exists with another definition; delete it, or rename yours.`);
  const after = await afterCatalogChange(deps, { now, actor: ACTOR, customersChanged: true }, signal);
  await markProcessed(
    deps.database,
    due.map((event) => event.webhookEventId),
    now,
  );
  problems.push(...identified.problems, ...stored.problems, ...after.problems);
  for (const problem of problems) deps.log.warn({ problem }, 'The catalog has a problem');
  return {
    customerCount: catalog.customers.length,
    subscriptionItemCount: catalog.subscriptionItems.length,
    bindingCount: stored.bindings.length,
    endsSilence: silentSince !== null,
    releasedTokenCount: after.releasedTokenCount,
    problems,
    foreignPrices: await readForeignPrices(deps.database),
  };
}

/**
 * Items that the ledger has as active and the listing does not show, because their subscription ended: Stripe is asked
 * for it by name, for it alone says when that was.
 */
async function readEndedItems(
  deps: JobDependencies,
  catalog: BillingCatalog,
  invoicesSince: Date,
  signal: AbortSignal | undefined,
): Promise<BillingSubscriptionItem[]> {
  const listed = catalog.subscriptionItems.map((item) => item.subscriptionItemId);
  const subscriptionIds = await findVanishedSubscriptions(deps.database, listed);
  if (subscriptionIds.length === 0) return [];
  const listedSubscriptions = new Set(catalog.subscriptionItems.map((item) => item.subscriptionId));
  const gone = subscriptionIds.filter((id) => !listedSubscriptions.has(id));
  const { subscriptions } = await deps.billing.readCatalogObjects(
    { ...noTargets(), subscriptionIds: gone },
    { invoicesSince },
    signal,
  );
  const meterIds = new Set(catalog.meters.map((meter) => meter.stripeMeterId));
  return subscriptions
    .flatMap((subscription) => subscription.items)
    .filter((item) => item.endsAt !== null && item.endsAt <= deps.clock.now())
    .map((item) => ({
      ...item,
      stripeMeterId:
        item.stripeMeterId !== null && meterIds.has(item.stripeMeterId) ? item.stripeMeterId : null,
    }));
}
