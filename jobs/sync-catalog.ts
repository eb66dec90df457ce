import { addMs, DAY_MS } from '../src/clock.ts';
import { UpstreamError } from '../src/errors.ts';
import { type MeterBinding, readCustomersWithSubjects, storeCatalog } from '../src/ledger/catalog.ts';
import type { CatalogCustomer } from '../src/ledger/catalog-customers.ts';
import { releaseQuarantine } from '../src/ledger/quarantine.ts';
import { listUnprocessed, markProcessed } from '../src/ledger/webhook-events.ts';
import type { BillingCatalog } from '../src/stripe/port.ts';
import type { JobDependencies } from './dependencies.ts';
import { takeUpItems } from './quarantine/take-up-items.ts';

/** A finalized invoice changes no more; drafts live 72 hours at most, periods a month or so. */
const INVOICES_BACK_MS = 70 * DAY_MS;
const TOKEN_TYPES = new Set(['prompt', 'prompt_cached', 'completion']);

export interface SyncOutcome {
  customerCount: number;
  subscriptionItemCount: number;
  bindingCount: number;
  releasedTokenCount: bigint;
  problems: string[];
}

/**
 * Brings customers, subscription items, prices, meters and invoices from Stripe into the ledger, derives the
 * meter bindings from the prices' metadata, makes OpenMeter's meters and customers follow, and takes up
 * quarantined usage that the change has cured.
 */
export async function syncCatalog(deps: JobDependencies, signal?: AbortSignal): Promise<SyncOutcome> {
  const now = deps.clock.now();
  // Events that could not be enqueued when they came are answered by this run: it reads everything anew.
  const missed = await listUnprocessed(deps.database, { receivedBefore: now, limit: 10_000 });
  const [catalog, meters] = await Promise.all([
    deps.billing.readCatalog({ invoicesSince: addMs(now, -INVOICES_BACK_MS) }, signal),
    deps.metering.ensureMeters(signal),
  ]);
  const problems: string[] = [];
  for (const slug of meters.different)
    problems.push(`The OpenMeter meter ${slug} exists with another definition; delete it, or rename yours.`);
  const customers = identifyCustomers(catalog, deps.settings.tenantMetadataKey, problems);
  const bindings = deriveBindings(catalog, problems);
  await storeCatalog(deps.database, { ...catalog, customers, bindings }, now);
  const releasedTokenCount = await releaseQuarantine(deps.database, now);
  const takenUp = await takeUpItems(deps, { all: false, signal });
  await followInOpenMeter(deps, problems, signal);
  await markProcessed(
    deps.database,
    missed.map((event) => event.webhookEventId),
    now,
  );
  for (const problem of problems) deps.log.warn({ problem }, 'The catalog has a problem');
  return {
    customerCount: customers.length,
    subscriptionItemCount: catalog.subscriptionItems.length,
    bindingCount: bindings.length,
    releasedTokenCount: releasedTokenCount + takenUp.tokenCount,
    problems,
  };
}

/** OpenMeter's customers only attribute; one that it refuses is a problem to report and stops nothing. */
async function followInOpenMeter(
  deps: JobDependencies,
  problems: string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await deps.metering.upsertCustomers(await readCustomersWithSubjects(deps.database), signal);
  } catch (error) {
    if (!(error instanceof UpstreamError) || !Array.isArray(error.context.refused)) throw error;
    problems.push(`${error.message}. ${error.fix ?? ''}`.trim());
  }
}

/** A customer is known by its tenant where Stripe's metadata names one, else by its Stripe id. */
function identifyCustomers(
  catalog: BillingCatalog,
  metadataKey: string,
  problems: string[],
): CatalogCustomer[] {
  const ownerByTenant = new Map<string, string>();
  return catalog.customers.map((customer) => {
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
}

/** Prices say in their metadata what they price: `tallystick_model`, `tallystick_token_type`, `tallystick_feature`. */
function deriveBindings(catalog: BillingCatalog, problems: string[]): MeterBinding[] {
  const bindings = new Map<string, MeterBinding>();
  const legacy = new Set<string>();
  for (const item of catalog.subscriptionItems) {
    if (item.stripeMeterId === null) {
      legacy.add(item.priceId);
      continue;
    }
    const model = item.priceMetadata.tallystick_model;
    const tokenType = item.priceMetadata.tallystick_token_type;
    if (model === undefined || tokenType === undefined) continue;
    if (!TOKEN_TYPES.has(tokenType)) {
      problems.push(
        `Price ${item.priceId} has tallystick_token_type "${tokenType}"; use prompt, prompt_cached or completion.`,
      );
      continue;
    }
    const feature = item.priceMetadata.tallystick_feature ?? '*';
    const key = JSON.stringify([model, tokenType, feature]);
    const before = bindings.get(key);
    if (before !== undefined && before.stripeMeterId !== item.stripeMeterId) {
      problems.push(
        `Prices bind ${model} ${tokenType} to two meters, ${before.stripeMeterId} and ${item.stripeMeterId}; the first is used.`,
      );
      continue;
    }
    bindings.set(key, {
      model,
      tokenType: tokenType as MeterBinding['tokenType'],
      feature,
      stripeMeterId: item.stripeMeterId,
    });
  }
  for (const priceId of legacy) {
    problems.push(
      `Price ${priceId} is metered without a meter (legacy usage records); such items are not billed through.`,
    );
  }
  return [...bindings.values()];
}
