import { sql } from 'kysely';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { billedUsage, daySlices, pushFingerprint, unnestDays, unnestSlices } from './day-slices.ts';

/** What is to be brought up to date. */
export interface SliceRefresh {
  periods: readonly TimeWindow[];
  now: Date;
  /** Whether users are asked for, by day and by whole period; without them a day takes a fraction of the rows. */
  users: boolean;
}

/**
 * Brings a customer's sums of the given periods up to what was pushed by now: days whose pushes are the same as when
 * they were summed are left alone, so that after the first time only the last days cost anything.
 * @returns how many days were summed
 */
export async function refreshStatementSlices(
  database: LedgerDatabase,
  customerId: string,
  refresh: SliceRefresh,
): Promise<number> {
  const { periods, now, users } = refresh;
  if (periods.length === 0) return 0;
  // Nearly always nothing is to be done, and then nothing is locked.
  if (isFresh(await readFingerprints(database, customerId, refresh))) return 0;
  return await database.transaction().execute(async (transaction) => {
    // Two who ask for the same statement at once sum it once.
    await sql`select pg_advisory_xact_lock(hashtextextended(${`statement|${customerId}`}, 0))`.execute(
      transaction,
    );
    const { days, wholes } = await readFingerprints(transaction, customerId, refresh);
    const staleDays = days.filter(isStale);
    if (staleDays.length > 0) {
      await replaceSlices(transaction, customerId, { slices: staleDays, now, users });
      await sumDays(transaction, customerId, { stale: staleDays, users });
    }
    const staleWholes = wholes.filter(isStale);
    if (staleWholes.length > 0) {
      await replaceSlices(transaction, customerId, { slices: staleWholes, now, users });
      await sumUsersOfPeriods(transaction, customerId, staleWholes);
    }
    return staleDays.length;
  });
}

/** A day or a period, and whether its sums are of the pushes that it has. */
export interface Fingerprinted extends TimeWindow {
  /** Of the pushes that are there now. */
  current: string;
  /** Of those that were summed; null: never. */
  summed: string | null;
}

interface Fingerprints {
  days: Fingerprinted[];
  /** Whole periods of more than a day, of which users are summed once more. */
  wholes: Fingerprinted[];
}

export const isStale = ({ current, summed }: Fingerprinted) => current !== summed;

function isFresh({ days, wholes }: Fingerprints): boolean {
  return !days.some(isStale) && !wholes.some(isStale);
}

export function isSame(one: TimeWindow, other: TimeWindow): boolean {
  return one.start.getTime() === other.start.getTime() && one.end.getTime() === other.end.getTime();
}

export async function readFingerprints(
  database: LedgerDatabase,
  customerId: string,
  { periods, users }: Pick<SliceRefresh, 'periods' | 'users'>,
): Promise<Fingerprints> {
  const days = await sql<Fingerprinted>`
      select slice.slice_start as start, slice.slice_end as end, now_pushed.fingerprint as current,
        case when known.has_users or not ${users}::boolean then known.fingerprint end as summed
      from (select distinct slice_start, slice_end from ${unnestDays(periods)} as day) as slice
      cross join lateral (${pushFingerprint(customerId, 'slice')}) as now_pushed
      left join statement_slices known on known.customer_id = ${customerId}
        and known.slice_start = slice.slice_start and known.slice_end = slice.slice_end
      order by 1`.execute(database);
  if (!users) return { days: days.rows, wholes: [] };
  const wholes = await sql<Omit<Fingerprinted, 'current'>>`
      select slice.slice_start as start, slice.slice_end as end, known.fingerprint as summed
      from ${unnestSlices(periods)} as slice
      left join statement_slices known on known.customer_id = ${customerId}
        and known.slice_start = slice.slice_start and known.slice_end = slice.slice_end`.execute(database);
  return {
    days: days.rows,
    wholes: wholes.rows
      .filter((whole) => !days.rows.some((day) => isSame(day, whole)))
      .map((whole) => ({
        ...whole,
        // By its own days: those of a period that overlaps it are others.
        current: daySlices(whole)
          .map((own) => days.rows.find((day) => isSame(day, own))?.current)
          .join(' '),
      })),
  };
}

async function replaceSlices(
  transaction: LedgerTransaction,
  customerId: string,
  { slices, now, users }: { slices: readonly Fingerprinted[]; now: Date; users: boolean },
): Promise<void> {
  await sql`delete from statement_slices where customer_id = ${customerId} and (slice_start, slice_end) in
    (select slice_start, slice_end from ${unnestSlices(slices)} as slice)`.execute(transaction);
  await sql`
    insert into statement_slices (customer_id, slice_start, slice_end, fingerprint, has_users, refreshed_at)
    select ${customerId}, slice.slice_start, slice.slice_end, slice.fingerprint, ${users}, ${now}
    from unnest(${slices.map(({ start }) => start.toISOString())}::timestamptz[],
      ${slices.map(({ end }) => end.toISOString())}::timestamptz[],
      ${slices.map(({ current }) => current)}::text[]) as slice(slice_start, slice_end, fingerprint)`.execute(
    transaction,
  );
}

/** One scan of the hourly usage of these slices; with users both tables are sums of it. */
async function sumDays(
  transaction: LedgerTransaction,
  customerId: string,
  { stale, users }: { stale: readonly TimeWindow[]; users: boolean },
): Promise<void> {
  const insertUsers = sql`,
    users as (
      insert into statement_users (customer_id, slice_start, slice_end, stripe_meter_id, subject, token_count)
      select ${customerId}, slice_start, slice_end, stripe_meter_id, subject, sum(token_count)
      from usage group by 2, 3, 4, 5)`;
  await sql`
    with usage as materialized (${billedUsage(customerId, stale, { users })})${users ? insertUsers : sql``}
    insert into statement_usage (customer_id, slice_start, slice_end, stripe_meter_id, token_type, model, feature, token_count)
    select ${customerId}, slice_start, slice_end, stripe_meter_id, token_type, model, feature, sum(token_count)
    from usage group by 2, 3, 4, 5, 6, 7`.execute(transaction);
}

/** Users of a whole period, of its days: a statement reads so many rows as there are users, and not thirty times that. */
async function sumUsersOfPeriods(
  transaction: LedgerTransaction,
  customerId: string,
  periods: readonly TimeWindow[],
): Promise<void> {
  await sql`
    insert into statement_users (customer_id, slice_start, slice_end, stripe_meter_id, subject, token_count)
    select ${customerId}, day.period_start, day.period_end, usage.stripe_meter_id, usage.subject, sum(usage.token_count)
    from ${unnestDays(periods)} as day
    join statement_users usage on usage.customer_id = ${customerId} and usage.slice_start = day.slice_start
      and usage.slice_end = day.slice_end
    group by 2, 3, 4, 5`.execute(transaction);
}
