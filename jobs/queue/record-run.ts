import { toTallystickError } from '../../src/platform/errors.ts';
import { recordStepEnd, recordStepStart } from '../../src/status/step-runs.ts';
import type { JobDependencies } from '../dependencies.ts';

/**
 * Runs a step and writes down when it began and how it ended: what status and metrics tell of it. A step that was
 * asked to stop has neither succeeded nor failed.
 * @throws what the step throws
 */
export async function recordRun<Outcome>(
  deps: JobDependencies,
  step: string,
  run: () => Promise<Outcome>,
): Promise<Outcome> {
  const startedMs = performance.now();
  const end = async (error: string | null) => {
    const durationMs = performance.now() - startedMs;
    await recordStepEnd(deps.database, step, { now: deps.clock.now(), durationMs, error });
  };
  await recordStepStart(deps.database, step, deps.clock.now());
  try {
    const outcome = await run();
    await end(null);
    return outcome;
  } catch (error) {
    const { code } = toTallystickError(error);
    if (code !== 'STALE_LEASE') {
      await end(code).catch((cause) => deps.log.warn({ err: cause, step }, 'A failed run was not recorded'));
    }
    throw error;
  }
}
