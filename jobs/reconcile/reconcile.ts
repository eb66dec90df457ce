import { judgeInvoiceQuantities } from '../../src/catalog/invoice-quantities.ts';
import { addMs, HOUR_MS, type TimeWindow } from '../../src/platform/clock.ts';
import { foldKeptSums } from '../../src/platform/database/kept-sums.ts';
import { toTallystickError } from '../../src/platform/errors.ts';
import { findDoubtedPairs, findPairsOfWindow, raiseDoubts } from '../../src/reconciliation/billing-checks.ts';
import { findHoursToReconcile, findSettledHours } from '../../src/reconciliation/reconciled-hours.ts';
import { finishReconciliation, takeReconciliation } from '../../src/reconciliation/reconciliations.ts';
import { markProviderProcessed } from '../../src/webhook-events/events.ts';
import type { JobDependencies } from '../dependencies.ts';
import { checkPairs, checkSample, noPairs, type PairsOutcome } from './check-pairs.ts';
import { type RecheckOutcome, recheckHours } from './recheck-hours.ts';
import { takeErrorReports } from './take-reports.ts';

/** A settled hour is read once more when it has been left alone so long: late copies have shown by then. */
const QUIET_MS = 6 * HOUR_MS;
const CHANGED_HOUR_LIMIT = 48;
const SAMPLED_HOUR_LIMIT = 4;
const DOUBTED_PAIR_LIMIT = 100;
/** Pairs doubted for one report of errors, which names a meter and no customers. */
const PAIRS_PER_REPORT = 20;

export type ReconcileOutcome = RecheckOutcome &
  PairsOutcome & {
    /** Invoice quantities that are not what the delivered pushes say. */
    invoiceDifferenceCount: number;
    /** Pushes that Stripe itself reported as not counted. */
    reportedPushCount: number;
    /** Reconciliations that somebody had asked for. */
    requestedCount: number;
  };

/**
 * Holds source, metered and billed against each other: settled hours are read from OpenMeter once more, what
 * invoices bill is compared with what was delivered, and Stripe's sums are read where something is in doubt, and
 * by sample. What has a known cause is repaired; the rest is reported.
 * @throws UpstreamError when an outside system cannot be asked; what was compared before stays
 */
export async function reconcile(deps: JobDependencies, signal?: AbortSignal): Promise<ReconcileOutcome> {
  const { database, settings } = deps;
  const now = deps.clock.now();
  await foldKeptSums(database);
  const requestedCount = await runRequested(deps, signal);
  const hours = await findHoursToReconcile(database, {
    now,
    quietBefore: addMs(now, -QUIET_MS),
    changedLimit: CHANGED_HOUR_LIMIT,
    sampleLimit: SAMPLED_HOUR_LIMIT,
  });
  const recheck = await recheckHours(deps, hours, signal);
  const invoices = await judgeInvoiceQuantities(database, {
    now,
    summaryLagMs: settings.summaryLagMs,
    closesInvoices: settings.closesInvoices,
  });
  const reportedPushCount = await takeErrorReports(deps, signal);
  await raiseDoubts(database, {
    now,
    pairsPerReport: PAIRS_PER_REPORT,
    summaryLagMs: settings.summaryLagMs,
  });
  const pairs = noPairs();
  const doubted = await findDoubtedPairs(database, { now, limit: DOUBTED_PAIR_LIMIT });
  await checkPairs(deps, doubted, 'doubt', pairs, signal);
  await checkSample(deps, pairs, signal);
  // What OpenMeter had notified of by then is in what was compared.
  await markProviderProcessed(database, 'openmeter', now);
  return {
    ...recheck,
    ...pairs,
    invoiceDifferenceCount: invoices.disagreeingCount,
    reportedPushCount,
    requestedCount,
  };
}

/**
 * The same at once for one window: all its settled hours, and every customer and meter with pushes in it, as far
 * as the day's reads go.
 */
export async function reconcileWindow(
  deps: JobDependencies,
  query: { window: TimeWindow; customerId: string | null },
  signal?: AbortSignal,
): Promise<RecheckOutcome & PairsOutcome> {
  const recheck = await recheckHours(deps, await findSettledHours(deps.database, query.window), signal);
  const pairs = noPairs();
  const wanted = await findPairsOfWindow(deps.database, { ...query.window, customerId: query.customerId });
  await checkPairs(deps, wanted, 'doubt', pairs, signal, query.window);
  return { ...recheck, ...pairs };
}

/** Takes up what people asked for; a request that fails is told so and asked for anew by them. */
async function runRequested(deps: JobDependencies, signal: AbortSignal | undefined): Promise<number> {
  for (let count = 0; ; count += 1) {
    const request = await takeReconciliation(deps.database, deps.clock.now());
    if (request === null) return count;
    try {
      const result = await reconcileWindow(deps, request, signal);
      await finishReconciliation(deps.database, request.reconciliationId, { result }, deps.clock.now());
    } catch (error) {
      // Shut down, or superseded: the request stays where the next runner finds it.
      if (signal?.aborted === true) throw error;
      const { message } = toTallystickError(error);
      await finishReconciliation(
        deps.database,
        request.reconciliationId,
        { error: message },
        deps.clock.now(),
      );
    }
  }
}
