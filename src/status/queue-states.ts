import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { secondsBetween } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { CountSchema, InstantSchema } from '../platform/http/schemas.ts';

/** Why a queue takes no work: its store is full, or does not answer. */
export type QueueError = 'QUEUE_FULL' | 'QUEUE_UNREACHABLE';

/** The queue as a worker last saw it. */
export interface QueueState {
  queue: string;
  backend: 'redis' | 'postgres';
  /** When the counts were read; null when they never could be. */
  observedAt: Date | null;
  waitingCount: bigint;
  activeCount: bigint;
  delayedCount: bigint;
  /** Jobs that ended for good without success and are kept to be looked at. */
  failedCount: bigint;
  /** Since when the job at the head waits. */
  oldestWaitingAt: Date | null;
  error: QueueError | null;
  failingSince: Date | null;
}

export interface QueueCounts {
  waitingCount: number;
  activeCount: number;
  delayedCount: number;
  failedCount: number;
  oldestWaitingAt: Date | null;
}

/**
 * Writes down how the queue is. Counts that could not be read (null) stay those of the last look; an error keeps the
 * instant at which it began.
 */
export async function recordQueueState(
  database: LedgerDatabase,
  state: {
    queue: string;
    backend: 'redis' | 'postgres';
    counts: QueueCounts | null;
    error: QueueError | null;
    now: Date;
  },
): Promise<void> {
  const { counts, now } = state;
  await sql`
    insert into queue_states as known (queue, backend, observed_at, waiting_count, active_count, delayed_count,
      failed_count, oldest_waiting_at, error, failing_since)
    values (${state.queue}, ${state.backend}, ${counts === null ? null : now}, ${counts?.waitingCount ?? 0},
      ${counts?.activeCount ?? 0}, ${counts?.delayedCount ?? 0}, ${counts?.failedCount ?? 0},
      ${counts?.oldestWaitingAt ?? null}, ${state.error}, ${state.error === null ? null : now})
    on conflict (queue) do update set backend = excluded.backend, error = excluded.error,
      failing_since = case when excluded.error is null then null else coalesce(known.failing_since, ${now}) end
      ${
        counts === null
          ? sql``
          : sql`, observed_at = excluded.observed_at, waiting_count = excluded.waiting_count,
                active_count = excluded.active_count, delayed_count = excluded.delayed_count,
                failed_count = excluded.failed_count, oldest_waiting_at = excluded.oldest_waiting_at`
      }`.execute(database);
}

export async function readQueueStates(database: LedgerDatabase): Promise<QueueState[]> {
  const rows = await sql<QueueState>`
    select queue, backend, observed_at as "observedAt", waiting_count as "waitingCount",
      active_count as "activeCount", delayed_count as "delayedCount", failed_count as "failedCount",
      oldest_waiting_at as "oldestWaitingAt", error, failing_since as "failingSince"
    from queue_states order by queue`.execute(database);
  return rows.rows;
}

export const QueueStateSchema = z
  .object({
    queue: z.string(),
    backend: z.enum(['redis', 'postgres']),
    observedAt: InstantSchema.nullable().openapi({ description: 'When a worker last read the counts.' }),
    waitingCount: CountSchema,
    activeCount: CountSchema,
    delayedCount: CountSchema,
    failedCount: CountSchema.openapi({ description: 'Jobs that ended for good without success.' }),
    oldestWaitingSeconds: z
      .int()
      .openapi({ description: 'How long the job at the head waits; 0 when none.' }),
    error: z
      .enum(['QUEUE_FULL', 'QUEUE_UNREACHABLE'])
      .nullable()
      .openapi({ description: 'Why it takes no work at present.' }),
    failingSince: InstantSchema.nullable(),
  })
  .openapi('QueueState');

/** As the API shows it. */
export function showQueueState(queue: QueueState, now: Date) {
  const { oldestWaitingAt } = queue;
  return {
    queue: queue.queue,
    backend: queue.backend,
    observedAt: queue.observedAt?.toISOString() ?? null,
    waitingCount: String(queue.waitingCount),
    activeCount: String(queue.activeCount),
    delayedCount: String(queue.delayedCount),
    failedCount: String(queue.failedCount),
    oldestWaitingSeconds: oldestWaitingAt === null ? 0 : secondsBetween(oldestWaitingAt, now),
    error: queue.error,
    failingSince: queue.failingSince?.toISOString() ?? null,
  };
}
