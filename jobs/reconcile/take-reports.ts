import { addMs } from '../../src/platform/clock.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import { findErrorReports, refuseReportedPushes } from '../../src/reconciliation/error-reports.ts';
import type { BillingMeterError } from '../../src/stripe/port.ts';
import type { JobDependencies } from '../dependencies.ts';

const REPORTS_PER_RUN = 100;
/** Statuses that say that this report, or this key, will not be read by trying again. */
const UNREADABLE = new Set([400, 401, 403, 404]);

/**
 * Reads Stripe's reports of meter events that it took and did not count, and refuses the pushes that they name. A
 * report names samples only; the rest of its meter is doubted and found by the sums.
 * @returns pushes refused
 * @throws UpstreamError when Stripe cannot be asked now; the reports wait
 */
export async function takeErrorReports(deps: JobDependencies, signal?: AbortSignal): Promise<number> {
  let refusedCount = 0;
  for (const eventId of await findErrorReports(deps.database, REPORTS_PER_RUN)) {
    signal?.throwIfAborted();
    const errors = await readSamples(deps, eventId, signal);
    const now = deps.clock.now();
    const report = { eventId, errors, lookAt: addMs(now, deps.settings.summaryLagMs), now };
    const count = await refuseReportedPushes(deps.database, report);
    refusedCount += count;
    if (count > 0) {
      const codes = [...new Set(errors.map((error) => error.code))];
      deps.log.error({ eventId, codes, count }, 'Stripe reports pushes that it took and did not count');
    }
  }
  return refusedCount;
}

async function readSamples(
  deps: JobDependencies,
  eventId: string,
  signal: AbortSignal | undefined,
): Promise<BillingMeterError[]> {
  try {
    return await deps.billing.readMeterErrors(eventId, signal);
  } catch (error) {
    if (!(error instanceof TallystickError) || !UNREADABLE.has(Number(error.context.statusCode))) throw error;
    // Without its samples the report still raises doubts, as any other does.
    deps.log.warn({ eventId, err: error }, 'A report of meter errors cannot be read');
    return [];
  }
}
