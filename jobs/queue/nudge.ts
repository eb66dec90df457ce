import { LEASE_SECONDS } from '../../src/platform/database/leases.ts';
import type { Logger } from '../../src/platform/log.ts';
import type { PipelineSettings } from '../dependencies.ts';
import { enqueueStep, type StepQueue } from './queues.ts';
import type { StepName, StepResult } from './steps.ts';

interface Nudge {
  next: StepName;
  /** The fields of the result each of which says that there is something to do. */
  when: readonly string[];
  delayMs?: (settings: PipelineSettings) => number;
}

/** What a finished step leaves for the next one. Schedules would find it too, only later. */
const NUDGES: Partial<Record<StepName, Nudge>> = {
  'sync-catalog': { next: 'push-usage', when: ['releasedTokenCount', 'endsSilence'] },
  'fetch-missed-events': { next: 'refresh-catalog', when: ['missedCount'] },
  'refresh-catalog': { next: 'push-usage', when: ['releasedTokenCount', 'endsSilence'] },
  'collect-usage': { next: 'ingest-events', when: ['usageEventCount'] },
  'ingest-events': {
    next: 'aggregate-usage',
    when: ['sentCount'],
    delayMs: (settings) => settings.settleLagMs + 1_000,
  },
  'aggregate-usage': { next: 'push-usage', when: ['revisionCount'] },
};

/**
 * Hands on to the next step when this one left it work. A queue that takes no work now changes nothing about what the
 * step did: the schedules will find it.
 */
export async function nudgeNextStep(
  queue: StepQueue,
  name: StepName,
  result: StepResult,
  settings: PipelineSettings,
  log: Logger,
): Promise<void> {
  await nudge(queue, name, result, settings).catch((err) =>
    log.error({ err, step: name }, 'The next step could not be asked for'),
  );
}

async function nudge(
  queue: StepQueue,
  name: StepName,
  result: StepResult,
  settings: PipelineSettings,
): Promise<void> {
  if (!result.ran) {
    // Whoever held the lease may have died with it: look again once it must have run out.
    await enqueueStep(queue, name, 'lease was held', LEASE_SECONDS * 1_000 + 1_000);
    return;
  }
  const next = NUDGES[name];
  if (next === undefined || next.when.every((field) => Number(result[field] ?? 0) === 0)) return;
  await enqueueStep(queue, next.next, `after ${name}`, next.delayMs?.(settings) ?? 0);
}
