import { sql } from 'kysely';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { billedUsage, daySlices, pushFingerprints, unnestDays, unnestSlices } from './day-slices.ts';

/** What is to be brought up to date. */
export interface SliceRefresh {
  periods: readonly TimeWindow[];
  now: Date;
  /** Which of them users are asked for, by day and by whole period; without them a day takes a fraction of the rows. */
  usersOf: readonly TimeWindow[];
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
  const { now } = refresh;
  if (refresh.periods.length === 0) return 0;
  // Nearly always nothing is to be done, and then nothing is locked.
  if (isFresh(await readStale(database, customerId, refresh))) return 0;
  return await database.transaction().execute(async (transaction) => {
    // Two who ask for the same statement at once sum it once.
    await sql`select pg_advisory_xact_lock(hashtextextended(${`statement|${customerId}`}, 0))`.execute(
      transaction,
    );
    const { plain, withUsers, wholes } = await readStale(transaction, customerId, refresh);
    for (const [stale, users] of [[plain, false] as const, [withUsers, true] as const]) {
      if (stale.length === 0) continue;
      await replaceSlices(transaction, customerId, { slices: stale, now, users });
      await sumDays(transaction, customerId, { stale, users });
    }
    if (wholes.length > 0) {
      await replaceSlices(transaction, customerId, { slices: wholes, now, users: true });
      await sumUsersOfPeriods(transaction, customerId, wholes);
    }
    return plain.length + withUsers.length;
  });
}

/** What is to be summed: days without and with users, and the users of whole periods. */
async function readStale(
  database: LedgerDatabase,
  customerId: string,
  { periods, usersOf }: Pick<SliceRefresh, 'periods' | 'usersOf'>,
): Promise<{ plain: Fingerprinted[]; withUsers: Fingerprinted[]; wholes: Fingerprinted[] }> {
  const { days, wholes } = await readFingerprints(database, customerId, periods);
  const own = new Set(usersOf.flatMap(daySlices).map(sliceKey));
  const wantsUsers = (day: TimeWindow) => own.has(sliceKey(day));
  return {
    plain: days.filter((day) => !wantsUsers(day) && isStale(day)),
    withUsers: days.filter((day) => wantsUsers(day) && isStale(day, { users: true })),
    wholes: wholes.filter((whole) => usersOf.some((one) => isSame(one, whole)) && isStale(whole)),
  };
}

/** A day or a period, and whether its sums are of the pushes that it has. */
export interface Fingerprinted extends TimeWindow {
  /** Of the pushes that are there now. */
  current: string;
  /** Of those that were summed; null: never. */
  summed: string | null;
  /** Whether they were summed by user as well. */
  hasUsers: boolean;
}

export interface Fingerprints {
  days: Fingerprinted[];
  /** Whole periods of more than a day, of which users are summed once more. */
  wholes: Fingerprinted[];
}

export function isStale({ current, summed, hasUsers }: Fingerprinted, { users = false } = {}): boolean {
  return current !== summed || (users && !hasUsers);
}

function isFresh(stale: Readonly<Record<string, readonly Fingerprinted[]>>): boolean {
  return Object.values(stale).every((some) => some.length === 0);
}

export function isSame(one: TimeWindow, other: TimeWindow): boolean {
  return sliceKey(one) === sliceKey(other);
}

export function sliceKey({ start, end }: TimeWindow): string {
  return `${start.getTime()} ${end.getTime()}`;
}

/** One statement, however many periods, which reads each push once. */
export async function readFingerprints(
  database: LedgerDatabase,
  customerId: string,
  periods: readonly TimeWindow[],
): Promise<Fingerprints> {
  const { rows } = await sql<Omit<Fingerprinted, 'current'> & { current: string | null }>`
      with slice as materialized (select distinct slice_start, slice_end from ${unnestDays(periods)} as day),
      asked as (
        select slice_start, slice_end, fingerprint from (${pushFingerprints(customerId, periods, 'slice')}) as now_pushed
        union all select slice_start, slice_end, null from ${unnestSlices(periods.filter((one) => daySlices(one).length > 1))} as whole
      )
      select asked.slice_start as start, asked.slice_end as end, asked.fingerprint as current, known.fingerprint as summed,
        coalesce(known.has_users, false) as "hasUsers"
      from asked
      left join statement_slices known on known.customer_id = ${customerId}
        and known.slice_start = asked.slice_start and known.slice_end = asked.slice_end
      order by 1, 2`.execute(database);
  const days = rows.flatMap(({ current, ...day }) => (current === null ? [] : [{ ...day, current }]));
  const currentOf = new Map(days.map((day) => [sliceKey(day), day.current]));
  return {
    days,
    // By its own days: those of a period that overlaps it are others.
    wholes: rows
      .filter(({ current }) => current === null)
      .map((whole) => ({
        ...whole,
        current: daySlices(whole)
          .map((day) => currentOf.get(sliceKey(day)))
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
