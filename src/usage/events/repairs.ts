import { sql } from 'kysely';
import type { UsageKey } from '../../../pricing/usage/shape.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import type { LedgerRow, UsageEventKind } from '../../platform/database/schema/schema.ts';
import {
  fieldOf,
  namesOf,
  type RowFields,
  textField,
  unnestRows,
} from '../../platform/database/unnest-rows.ts';
import { keyColumns, keyFields, sameKey, selectFigures, selectKey } from '../columns.ts';
import { EVENT_FIELDS, type UsageEvent } from './usage-events.ts';

/** Why ledger and meter differ, as far as the events themselves tell. */
type DriftClass = NonNullable<LedgerRow<'drifts'>['class']>;

/** An open hour with drifts old enough to be looked into, at the version its events were read at. */
export interface DriftedHour {
  windowStart: Date;
  eventVersion: bigint;
}

/**
 * Hours that have drifted since before `driftedBefore`, have nothing unsent, and were not looked into since
 * `checkedBefore`. Those never looked into come first, then the longest ago.
 */
export async function findHoursToRepair(
  database: LedgerDatabase,
  due: { driftedBefore: Date; checkedBefore: Date; limit: number },
): Promise<DriftedHour[]> {
  const rows = await sql<DriftedHour>`
    select s.window_start as "windowStart", s.event_version as "eventVersion"
    from settlements s
    where s.status = 'open' and (s.repair_checked_at is null or s.repair_checked_at <= ${due.checkedBefore})
      and exists (select 1 from drifts d where d.window_start = s.window_start and d.resolved_at is null
                    and d.class is distinct from 'counts_disagree'
                    and d.first_seen_at <= ${due.driftedBefore})
      and not exists (select 1 from usage_events e where e.window_start = s.window_start and e.status = 'pending')
    order by s.repair_checked_at nulls first, s.window_start limit ${due.limit}`.execute(database);
  return rows.rows;
}

/** A key with an unresolved drift in one hour. */
export interface DriftedKey extends UsageKey {
  /** Null until all its events have been found stored exactly once. */
  foundSoundAt: Date | null;
  lastSeenAt: Date;
}

export async function readDriftedKeys(database: LedgerDatabase, windowStart: Date): Promise<DriftedKey[]> {
  const rows = await sql<DriftedKey>`
    select ${selectKey()}, min(found_sound_at) as "foundSoundAt", max(last_seen_at) as "lastSeenAt"
    from drifts where window_start = ${windowStart} and resolved_at is null and class is distinct from 'counts_disagree'
    group by ${keyColumns()} order by ${keyColumns()}`.execute(database);
  return rows.rows;
}

/** One event of the outbox as the repair sees it. `rootEventId` is its own id when it is usage itself. */
export interface OutboxCopy extends Omit<UsageEvent, 'body'> {
  kind: UsageEventKind;
  rootEventId: string;
  copyDelta: number;
  resendCount: number;
  status: 'pending' | 'sent' | 'confirmed' | 'quarantined';
  createdAt: Date;
  sentAt: Date | null;
}

/** Every event of these keys in one hour, those of repairs included. */
export async function readOutboxCopies(
  database: LedgerDatabase,
  windowStart: Date,
  keys: readonly UsageKey[],
): Promise<OutboxCopy[]> {
  const rows = await sql<OutboxCopy>`
    select e.usage_event_id as "usageEventId", e.window_start as "windowStart", e.event_time as "eventTime",
      ${selectKey('e')}, ${selectFigures('e')}, e.kind, coalesce(e.root_event_id, e.usage_event_id) as "rootEventId",
      e.copy_delta as "copyDelta", e.resend_count as "resendCount", e.status, e.created_at as "createdAt",
      e.sent_at as "sentAt"
    from usage_events e join ${unnestRows('key', keys, KEY_FIELDS)} on ${sameKey('key', 'e')}
    where e.window_start = ${windowStart}
    order by e.usage_event_id`.execute(database);
  return rows.rows;
}

const KEY_FIELDS = keyFields<UsageKey>((key) => key);

/** A further event that stands for a usage event. */
export interface RepairEvent extends UsageEvent {
  kind: 'reissue' | 'correction';
  rootEventId: string;
  copyDelta: number;
}

export interface HourRepair {
  /** Ids of sent events to be sent again, unchanged. */
  resendIds: readonly string[];
  additions: readonly RepairEvent[];
  /** What was learnt about each key: why it drifts, or that all its events are stored exactly once. */
  findings: readonly { key: UsageKey; driftClass: DriftClass | null; isSound: boolean }[];
}

const ADDITION_FIELDS: RowFields<RepairEvent> = {
  ...EVENT_FIELDS,
  kind: textField((event) => event.kind),
  root_event_id: textField((event) => event.rootEventId),
  copy_delta: fieldOf('int', (event) => event.copyDelta),
};
const FINDING_FIELDS: RowFields<HourRepair['findings'][number]> = {
  ...keyFields<HourRepair['findings'][number]>((finding) => finding.key),
  class: textField((finding) => finding.driftClass),
  is_sound: fieldOf('boolean', (finding) => finding.isSound),
};

/**
 * Commits what one look into an hour found, if the hour is still the one that was looked at. The hour's version
 * moves on with every repair, so that neither a settlement nor a second repair of the old state can commit.
 * @returns the hour's version now, or null when it had changed and nothing was written
 */
export async function commitRepair(
  database: LedgerDatabase,
  hour: DriftedHour,
  repair: HourRepair,
  now: Date,
): Promise<bigint | null> {
  return await database.transaction().execute(async (transaction) => {
    const changesEvents = repair.resendIds.length + repair.additions.length > 0;
    const isWorthReading =
      changesEvents || repair.findings.some((finding) => finding.isSound && finding.driftClass === null);
    const moved = await sql<{ event_version: bigint }>`
      update settlements set repair_checked_at = ${now},
        event_version = event_version + ${changesEvents ? 1 : 0}::int,
        next_attempt_at = case when ${isWorthReading} then null else next_attempt_at end,
        repaired_at = case when ${changesEvents} then ${now}::timestamptz else repaired_at end
      where window_start = ${hour.windowStart} and event_version = ${hour.eventVersion} and status = 'open'
      returning event_version`.execute(transaction);
    const version = moved.rows[0]?.event_version;
    if (version === undefined) return null;
    await sql`update usage_events set status = 'pending', resend_count = resend_count + 1, claimed_until = null
              where usage_event_id = any(${repair.resendIds}::text[]) and status in ('sent', 'confirmed')`.execute(
      transaction,
    );
    await sql`
      insert into usage_events (${namesOf(ADDITION_FIELDS)}, created_at)
      select ${namesOf(ADDITION_FIELDS)}, ${now}::timestamptz from ${unnestRows('event', repair.additions, ADDITION_FIELDS)}`.execute(
      transaction,
    );
    await sql`
      update drifts d set class = f.class, found_sound_at = case when f.is_sound then ${now}::timestamptz end
      from ${unnestRows('f', repair.findings, FINDING_FIELDS)}
      where d.window_start = ${hour.windowStart} and d.resolved_at is null and ${sameKey('d', 'f')}`.execute(
      transaction,
    );
    return version;
  });
}
