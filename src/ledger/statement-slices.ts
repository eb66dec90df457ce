import { type RawBuilder, sql } from 'kysely';
import { addMs, DAY_MS, type TimeWindow } from '../clock.ts';
import type { LedgerDatabase, LedgerTransaction } from './database.ts';

/** Of `meter_pushes` under this alias: whether Stripe bills it, or will. */
export function isBilledPush(alias: string): RawBuilder<boolean> {
  return sql<boolean>`${sql.ref(`${alias}.status`)} in ('pending', 'delivered') and ${sql.ref(`${alias}.written_off_at`)} is null`;
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
 * Brings a customer's sums of the given periods up to what was pushed by now: days whose pushes are the same as when
 * they were summed are left alone, so that after the first time only the last days cost anything.
 * @returns how many days were summed
 */
export async function refreshStatementSlices(
  database: LedgerDatabase,
  customerId: string,
  refresh: { periods: readonly TimeWindow[]; now: Date },
): Promise<number> {
  const slices = refresh.periods.flatMap(daySlices);
  if (slices.length === 0) return 0;
  // Nearly always nothing is to be done, and then nothing is locked.
  if ((await readStaleSlices(database, customerId, slices)).length === 0) return 0;
  return await database.transaction().execute(async (transaction) => {
    // Two who ask for the same statement at once sum it once.
    await sql`select pg_advisory_xact_lock(hashtextextended(${`statement|${customerId}`}, 0))`.execute(
      transaction,
    );
    const stale = await readStaleSlices(transaction, customerId, slices);
    if (stale.length > 0) await sumSlices(transaction, customerId, { stale, now: refresh.now });
    return stale.length;
  });
}

interface StaleSlice extends TimeWindow {
  fingerprint: string;
}

/** Slices whose pushes are not those that were summed. A push keeps its usage for as long as it is not withdrawn. */
async function readStaleSlices(
  database: LedgerDatabase,
  customerId: string,
  slices: readonly TimeWindow[],
): Promise<StaleSlice[]> {
  const rows = await sql<{ start: Date; end: Date; fingerprint: string }>`
    select slice.slice_start as start, slice.slice_end as end, now_pushed.fingerprint
    from ${unnestSlices(slices)} as slice
    cross join lateral (
      select count(*) || '.' || coalesce(bit_xor(hashint8extended(push.meter_push_id, 0)), 0) || '.' ||
        coalesce(sum(push.delta_token_count), 0) as fingerprint
      from meter_pushes push
      where push.customer_id = ${customerId} and push.window_start > slice.slice_start - interval '1 hour'
        and push.window_start < slice.slice_end
        and push.event_timestamp >= slice.slice_start and push.event_timestamp < slice.slice_end
        and ${isBilledPush('push')}) as now_pushed
    left join statement_slices known on known.customer_id = ${customerId}
      and known.slice_start = slice.slice_start and known.slice_end = slice.slice_end
    where known.fingerprint is distinct from now_pushed.fingerprint`.execute(database);
  return rows.rows;
}

/** One scan of the hourly usage of these slices; both tables are sums of it. */
async function sumSlices(
  transaction: LedgerTransaction,
  customerId: string,
  { stale, now }: { stale: readonly StaleSlice[]; now: Date },
): Promise<void> {
  const starts = stale.map(({ start }) => start.toISOString());
  const first = stale.reduce((least, { start }) => (start < least ? start : least), stale[0]?.start ?? now);
  const last = stale.reduce((most, { end }) => (end > most ? end : most), first);
  await sql`delete from statement_slices where customer_id = ${customerId} and (slice_start, slice_end) in
    (select slice_start, slice_end from ${unnestSlices(stale)} as slice)`.execute(transaction);
  await sql`
    insert into statement_slices (customer_id, slice_start, slice_end, fingerprint, refreshed_at)
    select ${customerId}, slice.slice_start, slice.slice_end, slice.fingerprint, ${now}
    from unnest(${starts}::timestamptz[], ${stale.map(({ end }) => end.toISOString())}::timestamptz[],
      ${stale.map(({ fingerprint }) => fingerprint)}::text[]) as slice(slice_start, slice_end, fingerprint)`.execute(
    transaction,
  );
  await sql`
    with usage as materialized (
      select slice.slice_start, slice.slice_end, push.stripe_meter_id, usage.token_type, usage.model, usage.feature,
        usage.subject, sum(usage.delta_token_count) as token_count
      from hourly_usage usage
      join meter_pushes push on push.meter_push_id = usage.meter_push_id
      join ${unnestSlices(stale)} as slice
        on push.event_timestamp >= slice.slice_start and push.event_timestamp < slice.slice_end
      where usage.customer_id = ${customerId} and usage.window_start > ${addMs(first, -3_600_000)}
        and usage.window_start < ${last} and ${isBilledPush('push')}
      group by 1, 2, 3, 4, 5, 6, 7),
    users as (
      insert into statement_users (customer_id, slice_start, slice_end, stripe_meter_id, subject, token_count)
      select ${customerId}, slice_start, slice_end, stripe_meter_id, subject, sum(token_count)
      from usage group by 2, 3, 4, 5)
    insert into statement_usage (customer_id, slice_start, slice_end, stripe_meter_id, token_type, model, feature, token_count)
    select ${customerId}, slice_start, slice_end, stripe_meter_id, token_type, model, feature, sum(token_count)
    from usage group by 2, 3, 4, 5, 6, 7`.execute(transaction);
}

function unnestSlices(slices: readonly TimeWindow[]) {
  return sql`(select * from unnest(${slices.map(({ start }) => start.toISOString())}::timestamptz[],
    ${slices.map(({ end }) => end.toISOString())}::timestamptz[]) as given(slice_start, slice_end))`;
}
