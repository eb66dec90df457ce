import { sql } from 'kysely';
import type { UsageKey } from '../../../pricing/usage/shape.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { selectKey } from '../columns.ts';

/** The latest time in which OpenMeter took events and showed none of them. */
export interface SinkOutage {
  /** When the first event was sent that nothing shows. */
  since: Date;
  noticedAt: Date;
  endedAt: Date | null;
}

export async function readLastOutage(database: LedgerDatabase): Promise<SinkOutage | null> {
  const rows = await sql<SinkOutage>`
    select since, noticed_at as "noticedAt", ended_at as "endedAt"
    from sink_outages order by sink_outage_id desc limit 1`.execute(database);
  return rows.rows[0] ?? null;
}

/** @returns false when one is open already */
export async function openOutage(
  database: LedgerDatabase,
  outage: { since: Date; now: Date },
): Promise<boolean> {
  const opened = await sql`
    insert into sink_outages (since, noticed_at) values (${outage.since}, ${outage.now})
    on conflict ((true)) where ended_at is null do nothing`.execute(database);
  return opened.numAffectedRows === 1n;
}

/** @returns false when none was open any more */
export async function endOutage(database: LedgerDatabase, now: Date): Promise<boolean> {
  const ended = await sql`update sink_outages set ended_at = ${now} where ended_at is null`.execute(database);
  return ended.numAffectedRows === 1n;
}

/** An event that OpenMeter took, as a witness of what it has stored. */
export interface RecentSend extends UsageKey {
  usageEventId: string;
  windowStart: Date;
  eventTime: Date;
  createdAt: Date;
  sentAt: Date;
}

/** The events of the newest hours that were sent: enough that the newest sends are among them, and never a scan. */
const LOOKED_AT = 200;

/** Those made last, the newest first. */
export async function readNewestSends(
  database: LedgerDatabase,
  query: { now: Date; limit: number },
): Promise<RecentSend[]> {
  const rows = await sql<RecentSend>`
    select * from (
      select usage_event_id as "usageEventId", window_start as "windowStart", event_time as "eventTime",
        ${selectKey()}, created_at as "createdAt", sent_at as "sentAt"
      from usage_events
      where status in ('sent', 'confirmed') and window_start <= ${query.now} and sent_at is not null
      order by window_start desc limit ${LOOKED_AT}) newest
    order by "createdAt" desc, "usageEventId" limit ${query.limit}`.execute(database);
  return rows.rows;
}

/** The newest hour that is over and whose events were all read back: what began before it has passed the sink. */
export async function readLastSettledHour(database: LedgerDatabase, now: Date): Promise<Date | null> {
  const rows = await sql<{ hour: Date | null }>`
    select max(window_start) as hour from settlements
    where status = 'settled' and window_start <= ${now}::timestamptz - interval '1 hour'`.execute(database);
  return rows.rows[0]?.hour ?? null;
}
