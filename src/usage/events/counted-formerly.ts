import { type RawBuilder, sql } from 'kysely';
import type { TimeWindow } from '../../platform/clock.ts';

/**
 * Of source items of the window under this alias: whether their event was collected before contradictions were held back, in
 * an hour and key that had one. It is few events, or none: the index of them answers.
 */
export function isItemCountedFormerly(alias: string, { start, end }: TimeWindow): RawBuilder<boolean> {
  return sql<boolean>`coalesce(${sql.ref(`${alias}.usage_event_id`)} in (select usage_event_id from usage_events
    where counted_formerly and window_start > ${start}::timestamptz - interval '1 hour' and window_start < ${end}), false)`;
}
