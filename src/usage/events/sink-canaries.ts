import { sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import {
  instantField,
  namesOf,
  type RowFields,
  textField,
  unnestRows,
} from '../../platform/database/unnest-rows.ts';

/** An event that counts nothing and is under way: once it is visible, what was sent before it for its subject has passed. */
export interface SinkCanary {
  subject: string;
  canaryId: string;
  windowStart: Date;
  /** Final JSON text of the CloudEvent. */
  body: string;
  createdAt: Date;
  /** Null: OpenMeter has not taken it yet. */
  sentAt: Date | null;
  /** How many of the subject in a row were not seen in time before this one. */
  unseenCount: number;
}

/** Canaries under way, the oldest first. */
export async function readCanaries(database: LedgerDatabase, limit: number): Promise<SinkCanary[]> {
  const rows = await sql<SinkCanary>`
    select subject, canary_id as "canaryId", window_start as "windowStart", body, created_at as "createdAt",
      sent_at as "sentAt", unseen_count as "unseenCount"
    from sink_canaries where canary_id is not null order by created_at, subject limit ${limit}`.execute(
    database,
  );
  return rows.rows;
}

const CANARY_FIELDS: RowFields<Omit<SinkCanary, 'sentAt' | 'unseenCount'>> = {
  subject: textField((canary) => canary.subject),
  canary_id: textField((canary) => canary.canaryId),
  window_start: instantField((canary) => canary.windowStart),
  body: textField((canary) => canary.body),
  created_at: instantField((canary) => canary.createdAt),
};

/** Commits canaries before they are sent, each in place of the one of its subject that was not seen. */
export async function commitCanaries(
  database: LedgerDatabase,
  canaries: readonly Omit<SinkCanary, 'sentAt' | 'unseenCount'>[],
): Promise<void> {
  if (canaries.length === 0) return;
  await sql`
    insert into sink_canaries as known (${namesOf(CANARY_FIELDS)})
    select ${namesOf(CANARY_FIELDS)} from ${unnestRows('canary', canaries, CANARY_FIELDS)} order by subject
    on conflict (subject) do update
      set unseen_count = case when known.canary_id is null then 0 else known.unseen_count + 1 end,
        canary_id = excluded.canary_id, window_start = excluded.window_start, body = excluded.body,
        created_at = excluded.created_at, sent_at = null`.execute(database);
}

export async function markCanariesSent(
  database: LedgerDatabase,
  canaryIds: readonly string[],
  now: Date,
): Promise<void> {
  await sql`update sink_canaries set sent_at = ${now} where canary_id = any(${canaryIds}::text[])`.execute(
    database,
  );
}

/** OpenMeter shows these: what was sent for their subjects before they were made has passed. */
export async function markCanariesSeen(
  database: LedgerDatabase,
  canaryIds: readonly string[],
): Promise<void> {
  if (canaryIds.length === 0) return;
  await sql`
    update sink_canaries set passed_at = greatest(passed_at, created_at), canary_id = null, window_start = null,
      body = null, created_at = null, sent_at = null, unseen_count = 0
    where canary_id = any(${canaryIds}::text[])`.execute(database);
}

/** When the newest canary of any subject that was ever seen had been made; null: none was. */
export async function readNewestSeen(database: LedgerDatabase): Promise<Date | null> {
  const rows = await sql<{ at: Date | null }>`select max(passed_at) as at from sink_canaries`.execute(
    database,
  );
  return rows.rows[0]?.at ?? null;
}

/**
 * Up to when what was sent for each subject has passed the sink, as far as is known: by its canaries, and by its settled
 * hours after `from`, whose events were made no sooner than the hour began. Subjects of which nothing is known are absent.
 */
export async function readPassedAt(
  database: LedgerDatabase,
  query: { subjects: readonly string[]; from: Date; now: Date },
): Promise<Map<string, Date>> {
  const rows = await sql<{ subject: string; passedAt: Date }>`
    select wanted.subject, greatest(canary.passed_at, hour.window_start) as "passedAt"
    from unnest(${query.subjects}::text[]) as wanted(subject)
    left join sink_canaries canary on canary.subject = wanted.subject
    left join lateral (
      select window_start from hourly_usage h
      where h.subject = wanted.subject and h.window_start > ${query.from}
        -- No hour that is not over: a row may be dated ahead, and was sent before its hour began.
        and h.window_start <= ${query.now}::timestamptz - interval '1 hour'
      order by h.window_start desc limit 1) hour on true
    where canary.passed_at is not null or hour.window_start is not null`.execute(database);
  return new Map(rows.rows.map((row) => [row.subject, row.passedAt]));
}
