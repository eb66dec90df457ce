import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** When a step last ran, over all processes. */
export interface StepRun {
  step: string;
  lastStartedAt: Date | null;
  lastSucceededAt: Date | null;
  lastFailedAt: Date | null;
  /** Code of the last failure, kept until the next success. */
  lastError: string | null;
  lastDurationMs: bigint | null;
  runCount: bigint;
  failedCount: bigint;
}

/** Notes that a step begins. */
export async function recordStepStart(database: LedgerDatabase, step: string, now: Date): Promise<void> {
  await sql`
    insert into step_runs as known (step, last_started_at, run_count) values (${step}, ${now}, 1)
    on conflict (step) do update set last_started_at = excluded.last_started_at, run_count = known.run_count + 1`.execute(
    database,
  );
}

/** Notes how it ended. `error` is a code, never a message: that may quote an outside system. */
export async function recordStepEnd(
  database: LedgerDatabase,
  step: string,
  end: { now: Date; durationMs: number; error: string | null },
): Promise<void> {
  const durationMs = Math.round(end.durationMs);
  await (end.error === null
    ? sql`update step_runs set last_succeeded_at = ${end.now}, last_error = null, last_duration_ms = ${durationMs}
          where step = ${step}`
    : sql`update step_runs set last_failed_at = ${end.now}, last_error = ${end.error}, last_duration_ms = ${durationMs},
            failed_count = failed_count + 1 where step = ${step}`
  ).execute(database);
}

export async function readStepRuns(database: LedgerDatabase): Promise<StepRun[]> {
  const rows = await sql<StepRun>`
    select step, last_started_at as "lastStartedAt", last_succeeded_at as "lastSucceededAt",
      last_failed_at as "lastFailedAt", last_error as "lastError", last_duration_ms as "lastDurationMs",
      run_count as "runCount", failed_count as "failedCount"
    from step_runs order by step`.execute(database);
  return rows.rows;
}
