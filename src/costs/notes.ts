import { type RawBuilder, sql } from 'kysely';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';

/** A day whose cost may be another than what is stored. */
export interface DueDay {
  note: bigint;
  /** Why rated days change; null: new usage, or time that passed. */
  cause: string | null;
}

/**
 * Every day whose cost may be another than what is stored: those noted, and those that the next run of the job will note, for
 * prices that were corrected and subjects that moved. What is asked for counts from the moment it is asked for.
 */
const WAITING_DAYS: RawBuilder<{ day: string }> = sql`(
  select day from cost_days_due
  union
  select cost_days.day from rerating_requests as request
  join cost_days on cost_days.day >= request.day_start and cost_days.day < request.day_end
  where request.done_at is null and request.noted_at is null
  union
  select (usage.window_start at time zone 'UTC')::date from cost_subjects_due
  join hourly_usage as usage using (subject)) as waiting (day)`;

/** How many days wait to be rated (again). @param window whole UTC days; all days when it is left out */
export async function countDueCostDays(database: LedgerDatabase, window?: TimeWindow): Promise<bigint> {
  const within = window === undefined ? sql`true` : daysOf(window);
  const counted = await sql<{ count: bigint }>`
    select count(*) as count from ${WAITING_DAYS} where ${within}`.execute(database);
  return counted.rows[0]?.count ?? 0n;
}

/** The condition that a row's `day` is one of the window's UTC days. */
export function daysOf(window: TimeWindow): RawBuilder<boolean> {
  const [from, until] = [window.start, window.end].map((at) => at.toISOString().slice(0, 10));
  return sql<boolean>`day >= ${from}::date and day < ${until}::date`;
}

/** The next day to rate after another, the oldest first; null when there is none. */
export async function findDueCostDay(database: LedgerDatabase, after: string | null): Promise<string | null> {
  const row = await database
    .selectFrom('cost_days_due')
    .select('day')
    .where(sql<boolean>`${after}::date is null or day > ${after}::date`)
    .orderBy('day')
    .limit(1)
    .executeTakeFirst();
  return row?.day ?? null;
}

/** What is noted of a day; null when nothing is (any more). */
export async function readDueDay(transaction: LedgerTransaction, day: string): Promise<DueDay | null> {
  const row = await transaction
    .selectFrom('cost_days_due')
    .select(['note', 'cause'])
    .where('day', '=', day)
    .executeTakeFirst();
  return row ?? null;
}

/** Takes the note away that was read; one that came meanwhile stays. */
export async function clearDueDay(transaction: LedgerTransaction, day: string, note: bigint): Promise<void> {
  await transaction.deleteFrom('cost_days_due').where('day', '=', day).where('note', '=', note).execute();
}

/** Notes every day on which a subject that moved to another customer has usage. */
export async function spreadSubjectNotes(database: LedgerDatabase): Promise<void> {
  const waiting = await database.selectFrom('cost_subjects_due').select('subject').limit(1).execute();
  if (waiting.length === 0) return;
  await sql`
    with moved as (select subject, note from cost_subjects_due),
    noted as (
      insert into cost_days_due as due (day)
      select distinct (usage.window_start at time zone 'UTC')::date as day
      from moved join hourly_usage as usage using (subject) order by day
      on conflict (day) do update set note = nextval('cost_notes'))
    delete from cost_subjects_due as due using moved
    where due.subject = moved.subject and due.note = moved.note`.execute(database);
}

/**
 * Notes rated or used days of a window because prices changed.
 * @returns how many days it concerns
 */
export async function noteDaysToRerate(
  transaction: LedgerTransaction,
  window: { fromDay: string | null; untilDay: string | null },
  cause: string,
): Promise<number> {
  const noted = await sql`
    insert into cost_days_due as due (day, cause)
    select day, ${cause}::text from cost_days
    where (${window.fromDay}::date is null or day >= ${window.fromDay}::date)
      and (${window.untilDay}::date is null or day < ${window.untilDay}::date)
    order by day
    on conflict (day) do update set note = nextval('cost_notes'),
      cause = concat_ws(' ', due.cause, excluded.cause)`.execute(transaction);
  return Number(noted.numAffectedRows ?? 0n);
}

/**
 * An hour of capacity costs although nobody used it: notes the days of the hours that have passed since the last look.
 * @param until hours before it are over
 */
export async function notePassedCapacity(database: LedgerDatabase, until: Date): Promise<void> {
  await sql`
    with passed as (
      select provisioned_capacity_id, noticed_until, least(${until}::timestamptz, coalesce(valid_until, 'infinity')) as upto
      from provisioned_capacity
      where noticed_until < least(${until}::timestamptz, coalesce(valid_until, 'infinity'))),
    noted as (
      insert into cost_days_due as due (day)
      select distinct day::date from passed
      cross join lateral generate_series((noticed_until at time zone 'UTC')::date,
        ((upto - interval '1 microsecond') at time zone 'UTC')::date, interval '1 day') as day
      order by 1
      on conflict (day) do update set note = nextval('cost_notes'))
    update provisioned_capacity c set noticed_until = passed.upto
    from passed where passed.provisioned_capacity_id = c.provisioned_capacity_id`.execute(database);
}
