import { isAttributionDue } from '../../src/catalog/attributions.ts';
import { findStaleSubscriptions } from '../../src/catalog/billing-places.ts';
import { storeCatalogChange } from '../../src/catalog/catalog.ts';
import { noteNewsTaken, readCatalogProgress } from '../../src/catalog/progress.ts';
import { estimateListingReads, onlyUsed } from '../../src/catalog/reads.ts';
import { addMs, DAY_MS } from '../../src/platform/clock.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import { catalogTargetOf, noTargets } from '../../src/stripe/event-targets.ts';
import type { CatalogTargets } from '../../src/stripe/port.ts';
import {
  listUnprocessed,
  markFailed,
  markProcessed,
  type StoredWebhookEvent,
} from '../../src/webhook-events/events.ts';
import type { JobDependencies } from '../dependencies.ts';
import { afterCatalogChange } from './after-change.ts';
import { followInOpenMeter } from './follow-in-openmeter.ts';
import { identifyCustomers } from './identify-customers.ts';
import { completeChange } from './read-change.ts';
import { INVOICES_BACK_MS, syncCatalog } from './sync-catalog.ts';

/** The whole catalog is listed again after so long, whatever webhooks said. */
const LIST_WHOLE_AFTER_MS = DAY_MS;
const EVENTS_AT_ONCE = 5_000;
/** As the audit log names it. */
const ACTOR = 'job:refresh-catalog';
const STALE_AT_ONCE = 500;
/** An object that Stripe refuses to show holds up the others so often; then the whole list must do. */
const ATTEMPTS_BEFORE_LISTING = 3;

export interface RefreshOutcome {
  /** Events answered by this run. */
  eventCount: number;
  /** Objects that were read again. */
  objectCount: number;
  /** The whole catalog was listed, because that was due or cheaper. */
  listedWhole: boolean;
  /** The catalog had not heard from Stripe for so long that nothing was pushed, and has now. */
  endsSilence: boolean;
  releasedTokenCount: bigint;
  problems: string[];
}

/**
 * Reads again what webhooks told of, and the subscriptions of whose last invoice usage waits to hear. It costs reads with
 * what changed; the whole catalog is listed when that is due (at the start, and daily), when fewer reads do, and where
 * a single object cannot tell who owns a tenant. Events are done when their objects are stored.
 * @throws UpstreamError; the events stay due
 */
export async function refreshCatalog(deps: JobDependencies, signal?: AbortSignal): Promise<RefreshOutcome> {
  const now = deps.clock.now();
  const listing = await readCatalogProgress(deps.database, 'whole_listing');
  const due = await listUnprocessed(deps.database, {
    receivedBefore: addMs(now, 1),
    limit: EVENTS_AT_ONCE,
    provider: 'stripe',
  });
  const isListingDue = listing === null || now.getTime() - listing.position.getTime() >= LIST_WHOLE_AFTER_MS;
  if (isListingDue || due.some((event) => event.attemptCount >= ATTEMPTS_BEFORE_LISTING)) {
    return await listWhole(deps, due, signal);
  }
  const wanted = await onlyUsed(deps.database, await findTargets(deps, due));
  const objectCount = Object.values(wanted).reduce((sum, ids) => sum + ids.length, 0);
  const hasAll = due.length < EVENTS_AT_ONCE;
  if (objectCount === 0) {
    const endsSilence = hasAll && (await noteNewsTaken(deps.database, now));
    return await finish(deps, due, { now, objectCount: 0, customersChanged: false, endsSilence }, signal);
  }
  const readCount = objectCount + wanted.subscriptionIds.length;
  if (readCount > (await estimateListingReads(deps.database, addMs(now, -INVOICES_BACK_MS)))) {
    return await listWhole(deps, due, signal);
  }
  const change = await readOrFail(deps, due, wanted, signal);
  const identified = identifyCustomers(change.customers, deps.settings.tenantMetadataKey);
  const stored = await storeCatalogChange(
    deps.database,
    { ...change, customers: identified.customers },
    { now, actor: ACTOR },
  );
  if (stored === null) return await listWhole(deps, due, signal);
  const endsSilence = hasAll && (await noteNewsTaken(deps.database, now));
  const customersChanged = change.customers.length > 0;
  const outcome = await finish(deps, due, { now, objectCount, customersChanged, endsSilence }, signal);
  for (const problem of stored.problems) deps.log.warn({ problem }, 'The catalog has a problem');
  const problems = [...stored.problems, ...outcome.problems];
  return { ...outcome, problems };
}

async function findTargets(
  deps: JobDependencies,
  events: readonly StoredWebhookEvent[],
): Promise<CatalogTargets> {
  const targets = noTargets();
  for (const { eventType, objectType, relatedObjectId } of events) {
    const target = catalogTargetOf({ eventType, objectType, objectId: relatedObjectId });
    if (target !== null && !targets[target.kind].includes(target.id)) targets[target.kind].push(target.id);
  }
  const stale = await findStaleSubscriptions(deps.database, {
    now: deps.clock.now(),
    limit: STALE_AT_ONCE,
  });
  return { ...targets, subscriptionIds: [...new Set([...targets.subscriptionIds, ...stale])] };
}

async function readOrFail(
  deps: JobDependencies,
  due: readonly StoredWebhookEvent[],
  wanted: CatalogTargets,
  signal: AbortSignal | undefined,
) {
  try {
    const invoicesSince = addMs(deps.clock.now(), -INVOICES_BACK_MS);
    const change = await deps.billing.readCatalogObjects(wanted, { invoicesSince }, signal);
    return await completeChange(deps, change, invoicesSince, signal);
  } catch (error) {
    if (error instanceof TallystickError && isRefusal(error)) {
      const ids = due.map((event) => event.webhookEventId);
      await markFailed(deps.database, ids, error.message);
    }
    throw error;
  }
}

/** Stripe answered, and said no. It may mean this object alone. */
function isRefusal(error: TallystickError): boolean {
  const status = Number(error.context.statusCode);
  return status >= 400 && status < 500 && status !== 429;
}

async function listWhole(
  deps: JobDependencies,
  due: readonly StoredWebhookEvent[],
  signal: AbortSignal | undefined,
): Promise<RefreshOutcome> {
  const { releasedTokenCount, endsSilence, problems } = await syncCatalog(deps, signal);
  return {
    eventCount: due.length,
    objectCount: 0,
    listedWhole: true,
    endsSilence,
    releasedTokenCount,
    problems,
  };
}

async function finish(
  deps: JobDependencies,
  due: readonly StoredWebhookEvent[],
  done: { now: Date; objectCount: number; customersChanged: boolean; endsSilence: boolean },
  signal: AbortSignal | undefined,
): Promise<RefreshOutcome> {
  // What OpenMeter did not take of a customer is tried again, whether Stripe changed or not.
  const isDue = !done.customersChanged && (await isAttributionDue(deps.database, done.now));
  const customersChanged = done.customersChanged || isDue;
  const after =
    done.objectCount > 0
      ? await afterCatalogChange(deps, { ...done, customersChanged, actor: ACTOR }, signal)
      : { releasedTokenCount: 0n, problems: isDue ? await followInOpenMeter(deps, signal) : [] };
  await markProcessed(
    deps.database,
    due.map((event) => event.webhookEventId),
    done.now,
  );
  for (const problem of after.problems) deps.log.warn({ problem }, 'The catalog has a problem');
  return {
    eventCount: due.length,
    objectCount: done.objectCount,
    listedWhole: false,
    endsSilence: done.endsSilence,
    ...after,
  };
}
