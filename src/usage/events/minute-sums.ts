import { type RawBuilder, sql } from 'kysely';
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

/** One minute of one key. */
export interface EventMinute {
  eventDay: string;
  /** Its beginning. */
  eventTime: Date;
  key: UsageKey;
}

/** What is usage already of one minute, under one spelling of its key: an hour adds up those of one spelling. */
export interface SentFigures {
  key: UsageKey;
  figures: Record<FigureName, bigint>;
}

/**
 * What is usage already of these minutes and keys, by the `usageKeyText` of their counted key; nothing of those that have no
 * event. What OpenMeter refused waits or was given up, and is none: what is part of it waits with it. Several of one
 * minute when events of before have its model under another spelling. What was sent to repair is no usage. Reads the hours of the minutes once, whatever their number.
 */
export async function readMinuteSums(
  database: LedgerDatabase | LedgerTransaction,
  minutes: readonly (readonly [string, EventMinute])[],
): Promise<Map<string, SentFigures[]>> {
  if (minutes.length === 0) return new Map();
  const rows = await sql<UsageKey & { eventTime: Date } & Record<FigureName, bigint>>`
    select event_time as "eventTime", ${selectKey()}, ${sumFigures()}
    from usage_events
    where ${ofMinutes(minutes.map(([, minute]) => minute))} and kind = 'usage' and status <> 'quarantined'
    group by event_time, ${keyColumns()}`.execute(database);
  const sums = new Map<string, SentFigures[]>();
  const wanted = new Set(minutes.map(([text]) => text));
  for (const row of rows.rows) {
    const key = keyOf(row);
    const text = usageKeyText(row.eventTime, countedKey(key));
    if (!wanted.has(text)) continue;
    const sent = { key, figures: byFigure((figure) => row[figure]) };
    sums.set(text, [...(sums.get(text) ?? []), sent]);
  }
  return sums;
}

/** Events of these minutes and subjects; of other keys, and of other pairings of the two, there may be some among them. */
export function ofMinutes(minutes: readonly Pick<EventMinute, 'eventTime' | 'key'>[]): RawBuilder<boolean> {
  const times = minutes.map(({ eventTime }) => eventTime);
  const texts = (instants: Date[]) => [...new Set(instants.map((instant) => instant.toISOString()))];
  const subjects = [...new Set(minutes.map(({ key }) => key.subject))];
  return sql`window_start = any(${texts(times.map(floorToHour))}::timestamptz[])
    and event_time = any(${texts(times)}::timestamptz[]) and subject = any(${subjects}::text[])`;
}

/** All of a minute, in whatever spelling; null: nothing of it is usage. */
export function sumSpellings(sent: readonly SentFigures[]): Record<FigureName, bigint> | null {
  if (sent.length === 0) return null;
  return byFigure((figure) => sent.reduce((sum, { figures }) => sum + figures[figure], 0n));
}
