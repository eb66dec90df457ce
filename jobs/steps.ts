import { withStepLease } from '../src/ledger/step-leases.ts';
import { aggregateUsage } from './aggregate-usage.ts';
import { collectUsage } from './collect-usage.ts';
import type { JobDependencies } from './dependencies.ts';
import { ingestEvents } from './ingest-events.ts';
import { pushUsage } from './push-usage.ts';
import { recordRun } from './record-run.ts';
import { repairUsage } from './repair-usage.ts';
import { rescanUsage } from './rescan-usage.ts';
import { syncCatalog } from './sync-catalog.ts';

/** The pipeline's steps in the order in which usage travels; names are the BullMQ job names. */
export const STEP_NAMES = [
  'sync-catalog',
  'collect-usage',
  'rescan-usage',
  'ingest-events',
  'aggregate-usage',
  'repair-usage',
  'push-usage',
] as const;
export type StepName = (typeof STEP_NAMES)[number];

type Step = (deps: JobDependencies, signal?: AbortSignal) => Promise<object>;

const STEPS: Record<StepName, Step> = {
  'sync-catalog': syncCatalog,
  'collect-usage': collectUsage,
  'rescan-usage': rescanUsage,
  'ingest-events': ingestEvents,
  'aggregate-usage': aggregateUsage,
  'repair-usage': repairUsage,
  'push-usage': pushUsage,
};

export type StepResult = { ran: false } | ({ ran: true } & Record<string, unknown>);

/**
 * Runs one step under its lease. A step that another process is running is left to it (`ran: false`): it
 * reads the same watermark and does the same work.
 */
export async function runStep(
  deps: JobDependencies,
  name: StepName,
  signal?: AbortSignal,
): Promise<StepResult> {
  const startedMs = performance.now();
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
