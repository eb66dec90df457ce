import { type RawBuilder, sql } from 'kysely';
import { addMs, DAY_MS, HOUR_MS, type TimeWindow } from '../platform/clock.ts';

/** Of `meter_pushes` under this alias: whether an invoice has it, or may get it. */
export function isBilledPush(alias: string): RawBuilder<boolean> {
  return sql<boolean>`${sql.ref(`${alias}.status`)} in ('pending', 'delivered') and ${sql.ref(`${alias}.written_off_at`)} is null
    and ${sql.ref(`${alias}.fate`)} is distinct from 'uninvoiced'`;
}

/** The UTC days of a period; its first and last may be parts of a day. */
export function daySlices(period: TimeWindow): TimeWindow[] {
  const slices: TimeWindow[] = [];
  let start = period.start;
  while (start < period.end) {
    const midnight = new Date((Math.floor(start.getTime() / DAY_MS) + 1) * DAY_MS);
    const end = midnight < period.end ? midnight : period.end;
    slices.push({ start, end });
    start = end;
  }
  return slices;
}

/**
 * Which pushes each slice has, as a query of `slice_start`, `slice_end` and `fingerprint`: each push is read once. A push keeps its
 * usage for as long as it is not withdrawn.
 * @param periods in which all slices are
 * @param slices relation of rows with `slice_start` and `slice_end`, each within a day in UTC and each once
 */
export function pushFingerprints(
  customerId: string,
  periods: readonly TimeWindow[],
  slices: string,
): RawBuilder<{ fingerprint: string }> {
  const first = new Date(Math.min(...periods.map(({ start }) => start.getTime())));
  const last = new Date(Math.max(...periods.map(({ end }) => end.getTime())));
  return sql`
    select slice.slice_start, slice.slice_end, count(push.meter_push_id) || '.' ||
      coalesce(bit_xor(hashint8extended(push.meter_push_id, 0)), 0) || '.' || coalesce(sum(push.delta_token_count), 0) as fingerprint
    from ${sql.ref(slices)} as slice
    left join (select meter_push_id, delta_token_count, event_timestamp from meter_pushes push
      where customer_id = ${customerId} and window_start > ${addMs(first, -HOUR_MS)} and window_start < ${last}
        and ${isBilledPush('push')}) as push
      on ${dayOf('push.event_timestamp')} = ${dayOf('slice.slice_start')}
      and push.event_timestamp >= slice.slice_start and push.event_timestamp < slice.slice_end
    group by slice.slice_start, slice.slice_end`;
}

/** Which day in UTC an instant is in, at the price of a subtraction: thousands of pushes are asked for theirs. */
function dayOf(column: string): RawBuilder<Date> {
  return sql`date_bin(interval '1 day', ${sql.ref(column)}, timestamptz '2000-01-01 00:00:00Z')`;
}

/** Each day of each period. Two periods may share a part of a day, so a slice is named by both of its ends. */
export function unnestDays(periods: readonly TimeWindow[]) {
  const days = periods.flatMap((period) => daySlices(period).map((day) => ({ ...day, period })));
  const column = (pick: (day: (typeof days)[number]) => Date) => days.map((day) => pick(day).toISOString());
  return sql`(select * from unnest(${column((day) => day.start)}::timestamptz[], ${column((day) => day.end)}::timestamptz[],
    ${column((day) => day.period.start)}::timestamptz[], ${column((day) => day.period.end)}::timestamptz[])
    as given(slice_start, slice_end, period_start, period_end))`;
}

/** Slices as rows. */
export function unnestSlices(slices: readonly TimeWindow[]) {
  return sql`(select * from unnest(${slices.map(({ start }) => start.toISOString())}::timestamptz[],
    ${slices.map(({ end }) => end.toISOString())}::timestamptz[]) as given(slice_start, slice_end))`;
}

/**
 * What the pushes of these slices bill, from the rows, as a query of `slice_start`, `slice_end`, `stripe_meter_id`,
 * `token_type`, `model`, `feature`, `subject` (null without users) and `token_count`.
 */
export function billedUsage(
  customerId: string,
  slices: readonly TimeWindow[],
  { users, subject }: { users: boolean; subject?: string },
): RawBuilder<unknown> {
  const first = new Date(Math.min(...slices.map(({ start }) => start.getTime())) - HOUR_MS);
  const last = new Date(Math.max(...slices.map(({ end }) => end.getTime())));
  const rows = sql`
    select meter_push_id, token_type, model, feature, subject, delta_token_count as token_count from hourly_usage
    where customer_id = ${customerId} and window_start > ${first} and window_start < ${last} and meter_push_id is not null
      and ${subject === undefined ? sql`true` : sql`subject = ${subject}`}`;
  // Where nobody asks for users, pushes are joined to sums over them, which are far fewer.
  const usage = users
    ? rows
    : sql`
    select meter_push_id, token_type, model, feature, null as subject, sum(token_count) as token_count from (${rows}) as row
    group by 1, 2, 3, 4`;
  return sql`
      select slice.slice_start, slice.slice_end, push.stripe_meter_id, usage.token_type, usage.model, usage.feature,
        usage.subject, sum(usage.token_count) as token_count
      from (${usage}) as usage
      join meter_pushes push on push.meter_push_id = usage.meter_push_id
      join ${unnestSlices(slices)} as slice
        on push.event_timestamp >= slice.slice_start and push.event_timestamp < slice.slice_end
      where ${isBilledPush('push')}
      group by 1, 2, 3, 4, 5, 6, 7`;
}
