import { WAREHOUSE_LEASE } from '../../src/exports/warehouse/export-warehouse.ts';
import { withStepLease } from '../../src/platform/database/leases.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import { aggregateUsage } from '../aggregate/aggregate-usage.ts';
import { billEarly } from '../bill-early.ts';
import { fetchMissedEvents } from '../catalog/fetch-missed-events.ts';
import { refreshCatalog } from '../catalog/refresh-catalog.ts';
import { syncCatalog } from '../catalog/sync-catalog.ts';
import { closeInvoices } from '../close/close-invoice.ts';
import { collectControl } from '../collect/collect-control.ts';
import { collectUsage } from '../collect/collect-usage.ts';
import type { JobDependencies } from '../dependencies.ts';
import { dropOldItems } from '../drop-old-items.ts';
import { exportWarehouseDays } from '../export-warehouse.ts';
import { findAnomalies } from '../find-anomalies.ts';
import { ingestEvents } from '../ingest/ingest-events.ts';
import { judgeBudgets } from '../judge-budgets.ts';
import { syncPrices } from '../prices/sync-prices.ts';
import { pushUsage } from '../push/push-usage.ts';
import { rateUsage } from '../rate-usage.ts';
import { reconcile } from '../reconcile/reconcile.ts';
import { repairUsage } from '../repair/repair-usage.ts';
import { rescanUsage } from '../rescan/rescan-usage.ts';
import { sendAlerts } from '../send-alerts.ts';
import { recordRun } from './record-run.ts';

/** The pipeline's steps in the order in which usage travels; names are the BullMQ job names. */
export const STEP_NAMES = [
  'sync-catalog',
  'fetch-missed-events',
  'refresh-catalog',
  'collect-usage',
  'rescan-usage',
  'judge-budgets',
  'ingest-events',
  'aggregate-usage',
  'repair-usage',
  'push-usage',
  'bill-early',
  'close-invoices',
  'rate-usage',
  'find-anomalies',
  'reconcile',
  'send-alerts',
  'drop-old-items',
] as const;
/** What runs only where a control source is configured, after all others. */
const CONTROL_STEP = 'collect-control';
/** What runs only where a price list is configured. Nothing waits for it. */
const PRICES_STEP = 'sync-prices';
/** What runs only where a warehouse is configured; under the lease that the command takes, too. */
const WAREHOUSE_STEP = WAREHOUSE_LEASE;
export type StepName =
  | (typeof STEP_NAMES)[number]
  | typeof CONTROL_STEP
  | typeof PRICES_STEP
  | typeof WAREHOUSE_STEP;

/** The steps that this configuration has. */
export function stepNames(
  deps: Pick<JobDependencies, 'control' | 'retailPrices' | 'warehouse'>,
): readonly StepName[] {
  const more: StepName[] = [];
  if (deps.control !== undefined) more.push(CONTROL_STEP);
  if (deps.retailPrices !== undefined) more.push(PRICES_STEP);
  if (deps.warehouse !== undefined) more.push(WAREHOUSE_STEP);
  return more.length === 0 ? STEP_NAMES : [...STEP_NAMES, ...more];
}

type Step = (deps: JobDependencies, signal?: AbortSignal) => Promise<object>;

const STEPS: Record<StepName, Step> = {
  'sync-catalog': syncCatalog,
  'fetch-missed-events': fetchMissedEvents,
  'refresh-catalog': refreshCatalog,
  'collect-usage': collectUsage,
  'rescan-usage': rescanUsage,
  'judge-budgets': judgeBudgets,
  'ingest-events': ingestEvents,
  'aggregate-usage': aggregateUsage,
  'repair-usage': repairUsage,
  'push-usage': pushUsage,
  'bill-early': billEarly,
  'close-invoices': closeInvoices,
  'rate-usage': rateUsage,
  'find-anomalies': findAnomalies,
  reconcile,
  'send-alerts': sendAlerts,
  'drop-old-items': dropOldItems,
  'collect-control': collectControl,
  'sync-prices': syncPrices,
  'export-warehouse': exportWarehouseDays,
};

/** What a job of no known step is recorded under: its name is whatever somebody put into the queue. */
export const UNKNOWN_STEP = 'unknown-step';

export type StepResult = { ran: false } | ({ ran: true } & Record<string, unknown>);

/**
 * Runs one step under its lease. A step that another process is running is left to it (`ran: false`): it
 * reads the same watermark and does the same work.
 * @throws TallystickError UNKNOWN_STEP, as a recorded failed run; what the step throws
 */
export async function runStep(
  deps: JobDependencies,
  name: StepName,
  signal?: AbortSignal,
): Promise<StepResult> {
  const startedMs = performance.now();
  if (!Object.hasOwn(STEPS, name)) return await refuseUnknownStep(deps, name);
  const outcome = await withStepLease(deps.database, name, (lost) =>
    recordRun(deps, name, () =>
      STEPS[name](deps, signal === undefined ? lost : AbortSignal.any([lost, signal])),
    ),
  );
  if (outcome === null) return { ran: false };
  // Job results travel as JSON, which has no bigint.
  const plain = Object.fromEntries(
    Object.entries(outcome).map(([key, value]) => [key, typeof value === 'bigint' ? String(value) : value]),
  );
  deps.log.debug(
    { step: name, durationMs: Math.round(performance.now() - startedMs), ...plain },
    'step done',
  );
  return { ran: true, ...plain };
}

/** Repeating cannot help; the run is on record, so that status and metrics show that somebody enqueues such jobs. */
async function refuseUnknownStep(deps: JobDependencies, name: string): Promise<never> {
  return await recordRun(deps, UNKNOWN_STEP, async () => {
    throw new TallystickError(
      `The queue holds a job of no known step: ${JSON.stringify(name.slice(0, 100))}.`,
      {
        code: 'UNKNOWN_STEP',
        retry: false,
        fix: 'Nothing, while versions are being exchanged; else find out who else writes to this queue.',
      },
    );
  });
}
