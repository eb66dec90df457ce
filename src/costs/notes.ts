import { sql } from 'kysely';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';

/** A day whose cost may be another than what is stored. */
export interface DueDay {
  note: bigint;
  /** Why rated days change; null: new usage, or time that passed. */
  cause: string | null;
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
