import { sql } from 'kysely';
import { countedKey } from '../../../pricing/usage/names.ts';
import {
  byFigure,
  type FigureName,
  keyOf,
  type UsageKey,
  usageKeyText,
} from '../../../pricing/usage/shape.ts';
import { floorToHour } from '../../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import { keyColumns, selectKey, sumFigures } from '../columns.ts';

/** One minute of one key, as usage events have them. */
export interface EventMinute {
  eventDay: string;
  eventTime: Date;
  key: UsageKey;
}

/**
 * What is usage already of these minutes and keys, by the `usageKeyText` of their counted key; nothing of those that have no event. What was sent to
 * repair is no usage. Reads the hours of the minutes once, whatever their number.
 */
export async function readMinuteSums(
  database: LedgerDatabase | LedgerTransaction,
  minutes: readonly (readonly [string, EventMinute])[],
): Promise<Map<string, Record<FigureName, bigint>>> {
  if (minutes.length === 0) return new Map();
  const times = minutes.map(([, { eventTime }]) => eventTime);
  const texts = (instants: Date[]) => [...new Set(instants.map((instant) => instant.toISOString()))];
  const subjects = [...new Set(minutes.map(([, { key }]) => key.subject))];
  const rows = await sql<UsageKey & { eventTime: Date } & Record<FigureName, bigint>>`
    select event_time as "eventTime", ${selectKey()}, ${sumFigures()}
    from usage_events
    where window_start = any(${texts(times.map(floorToHour))}::timestamptz[]) and kind = 'usage'
      and event_time = any(${texts(times)}::timestamptz[]) and subject = any(${subjects}::text[])
    group by event_time, ${keyColumns()}`.execute(database);
  const sums = new Map<string, Record<FigureName, bigint>>();
  const wanted = new Set(minutes.map(([text]) => text));
  for (const row of rows.rows) {
    // Events of before may have a model under another spelling.
    const text = usageKeyText(row.eventTime, countedKey(keyOf(row)));
    if (!wanted.has(text)) continue;
    const known = sums.get(text);
    sums.set(
      text,
      byFigure((figure) => row[figure] + (known?.[figure] ?? 0n)),
    );
  }
  return sums;
}
