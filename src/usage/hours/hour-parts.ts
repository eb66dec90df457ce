import { type RawBuilder, sql } from 'kysely';
import { byFigure, type FigureName, keyOf, type UsageKey } from '../../../pricing/usage/shape.ts';
import type { FormerCounts } from '../../../pricing/usage/tokens.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import { instantField, unnestRows } from '../../platform/database/unnest-rows.ts';
import {
  type FormerCountsRow,
  keyColumns,
  keyFields,
  readFormerCounts,
  sameKey,
  selectKey,
  sumFigures,
  sumFormerCounts,
} from '../columns.ts';

/** The part of an hour that a row of hourly usage covers, in minutes `[start, end)`. */
export interface HourPart {
  partStartMinute: number;
  partEndMinute: number;
}

export const WHOLE_HOUR: HourPart = { partStartMinute: 0, partEndMinute: 60 };

/**
 * Remembers where billing periods begin and end inside an hour, as the catalog says now, and where an item
 * joins or ends within its period; those of the past stay.
 * Usage comes by the minute, so a boundary within a minute counts from the next one: that minute is the old period's.
 */
export async function storePeriodBoundaries(transaction: LedgerTransaction, now: Date): Promise<void> {
  await sql`
    insert into period_boundaries (customer_id, boundary_at, first_seen_at)
    select distinct customer_id, minute, ${now}::timestamptz
    from subscription_items, unnest(array[current_period_start, current_period_end, started_at, ends_at]) as instant,
      lateral (select date_trunc('minute', instant + interval '59.999999 seconds') as minute) cut
    where (active or ends_at > ${now}::timestamptz - interval '70 days') and instant is not null
      and stripe_meter_id is not null and extract(minute from minute at time zone 'UTC') <> 0
    order by customer_id, minute
    on conflict do nothing`.execute(transaction);
}

/** Where the hours' subjects have a period boundary inside: the minute of it. */
export interface SubjectBoundary {
  windowStart: Date;
  subject: string;
  minute: number;
}

export async function readSubjectBoundaries(
  database: LedgerDatabase,
  hours: readonly Date[],
): Promise<SubjectBoundary[]> {
  const rows = await sql<SubjectBoundary>`
    select hour as "windowStart", s.subject, (extract(epoch from b.boundary_at - hour) / 60)::int as minute
    from unnest(${hours.map((hour) => hour.toISOString())}::timestamptz[]) as hour
    join period_boundaries b on b.boundary_at > hour and b.boundary_at < hour + interval '1 hour'
    join subjects s on s.customer_id = b.customer_id
    order by 1, 2, 3`.execute(database);
  return rows.rows;
}

/** A part that a key's settled usage has in its hour. */
export interface KnownPart extends UsageKey, HourPart {
  windowStart: Date;
  /** A push carries it, or it is settled otherwise for good: it can be divided no more. */
  isTaken: boolean;
}

/** Parts of divided hours, and of the hours of these subjects. */
export async function readKnownParts(
  database: LedgerDatabase,
  hours: readonly Date[],
  subjects: readonly string[],
): Promise<KnownPart[]> {
  const rows = await sql<KnownPart>`
    select window_start as "windowStart", ${selectKey()},
      part_start_minute as "partStartMinute", part_end_minute as "partEndMinute", bool_or(${isTaken('h')}) as "isTaken"
    from hourly_usage h
    where window_start = any(${hours.map((hour) => hour.toISOString())}::timestamptz[])
      and (part_start_minute > 0 or part_end_minute < 60 or subject = any(${subjects}::text[]))
    group by window_start, ${keyColumns()}, part_start_minute, part_end_minute`.execute(database);
  return rows.rows;
}

/** What the ledger sent of these keys, by the minute of the hour. */
export interface MinuteFigures extends UsageKey {
  windowStart: Date;
  minute: number;
  figures: Record<FigureName, bigint>;
  former: FormerCounts;
}

const HOUR_KEY_FIELDS = {
  window_start: instantField<UsageKey & { windowStart: Date }>((key) => key.windowStart),
  ...keyFields<UsageKey & { windowStart: Date }>((key) => key),
};

export async function sumSentByMinute(
  database: LedgerDatabase,
  keys: readonly (UsageKey & { windowStart: Date })[],
): Promise<MinuteFigures[]> {
  const rows = await sql<
    UsageKey & { windowStart: Date; minute: number } & Record<FigureName, bigint> & FormerCountsRow
  >`
    select e.window_start as "windowStart", ${selectKey('e')},
      floor(extract(epoch from e.event_time - e.window_start) / 60)::int as minute, ${sumFigures('e')}, ${sumFormerCounts('e')}
    from usage_events e
    join ${unnestRows('key', keys, HOUR_KEY_FIELDS)} on key.window_start = e.window_start and ${sameKey('key', 'e')}
    where e.status in ('sent', 'confirmed') and e.kind = 'usage'
    group by e.window_start, ${keyColumns('e')}, minute`.execute(database);
  return rows.rows.map((row) => ({
    windowStart: row.windowStart,
    ...keyOf(row),
    minute: row.minute,
    figures: byFigure((figure) => row[figure]),
    former: readFormerCounts(row),
  }));
}

/**
 * Opens hours again whose settled usage no push has taken yet and that a period boundary of its customer divides
 * after all: the subject got its customer, or the catalog its subscription, only after the hour was settled.
 * @returns how many hours
 */
export async function reopenUndividedHours(database: LedgerDatabase): Promise<number> {
  const reopened = await sql`
    update settlements set status = 'open', event_version = event_version + 1, attempt_count = 0, next_attempt_at = null
    where status = 'settled' and window_start in (
      select h.window_start from hourly_usage h
      where h.meter_push_id is null and h.quarantine_reason is null and ${isUndivided('h')})`.execute(
    database,
  );
  return Number(reopened.numAffectedRows ?? 0n);
}

/** Of `hourly_usage` under this alias: whether a push or a person has disposed of the row. */
function isTaken(alias: string) {
  const row = sql.ref(alias);
  return sql<boolean>`(${row}.meter_push_id is not null or ${row}.uninvoiced_id is not null or ${row}.written_off_at is not null)`;
}

/**
 * Of `hourly_usage` under this alias: whether a boundary of its subject's customer lies inside its part, where nothing that
 * was taken of the same key and hour forbids to divide it.
 */
export function isUndivided(alias: string) {
  const row = sql.ref(alias);
  return sql<boolean>`exists (
    select 1 from subjects s join period_boundaries b on b.customer_id = s.customer_id
    where s.subject = ${row}.subject
      and b.boundary_at > ${row}.window_start + make_interval(mins => ${row}.part_start_minute)
      and b.boundary_at < ${row}.window_start + make_interval(mins => ${row}.part_end_minute)
      and not exists (
        select 1 from hourly_usage t
        where t.window_start = ${row}.window_start and ${sameKey('t', alias)} and ${isTaken('t')}
          and b.boundary_at > t.window_start + make_interval(mins => t.part_start_minute)
          and b.boundary_at < t.window_start + make_interval(mins => t.part_end_minute)))`;
}

/**
 * The instant at which usage of `hourly_usage` under this alias is billed, and so in which period: the start of its
 * part. A meter that keeps one value an hour cannot be told parts: its hour goes whole to the period that begins
 * in it, which is still open when late usage of the hour comes, and always to the same.
 */
export function billedAt(
  alias: string,
  place: { customerId: RawBuilder<unknown>; meterAlias: string },
): RawBuilder<Date> {
  const row = sql.ref(alias);
  const meter = sql.ref(place.meterAlias);
  return sql<Date>`case when ${meter}.event_time_window = 'hour' then coalesce(
      (select p.event_timestamp from meter_pushes p where p.customer_id = ${place.customerId}
         and p.stripe_meter_id = ${meter}.stripe_meter_id and p.window_start = ${row}.window_start and p.status <> 'withdrawn'
       order by p.revision limit 1),
      (select max(b.boundary_at) from period_boundaries b where b.customer_id = ${place.customerId}
         and b.boundary_at > ${row}.window_start and b.boundary_at < ${row}.window_start + interval '1 hour'),
      ${row}.window_start)
    else ${row}.window_start + make_interval(mins => ${row}.part_start_minute) end`;
}
