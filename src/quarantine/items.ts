import { sql } from 'kysely';
import type { SourceRow } from '../azure/source.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { KnownItemsError } from '../usage/collection/commit-slice.ts';
import { holdItems, noteHeldItems } from '../usage/collection/held-items.ts';
import { insertNewSubjects } from '../usage/collection/seen-subjects.ts';
import type { SourceItem } from '../usage/collection/source-items.ts';
import { takeUpItems } from '../usage/collection/waiting-items.ts';
import { insertUsageEvents, type UsageEvent } from '../usage/events/usage-events.ts';

/** A source item in quarantine, with the row as the source gave it. */
export interface QuarantinedItem {
  quarantineNumber: bigint;
  eventDay: string;
  sourceItemId: string;
  metricName: string;
  reason: string;
  /** A person takes its minute as it was told. */
  isAccepted: boolean;
  /** A person asked for another look. */
  isRequested: boolean;
  row: SourceRow;
}

export interface ItemFilter {
  /** Null: all that the row kept faithfully. Else only what may be sound by now, given the metrics known today. */
  knownMetricNames: readonly string[] | null;
  /** Of models whose maker nobody had named, those that have one by now. */
  namedModels: readonly string[];
  afterNumber: bigint;
  limit: number;
}

/**
 * Items in quarantine in the order of their numbers. Left out is text that the ledger could not keep as it was: judged
 * again it would look sound and be somebody else's.
 */
export async function readQuarantinedItems(
  database: LedgerDatabase,
  filter: ItemFilter,
): Promise<QuarantinedItem[]> {
  const mayBeSound =
    filter.knownMetricNames === null
      ? sql`true`
      : sql`(retry_requested_at is not null
          or (quarantine_reason = 'unknown_metric' and metric_name = any(${filter.knownMetricNames}::text[]))
          or (quarantine_reason = 'no_provider' and model = any(${filter.namedModels}::text[]))
          or (quarantine_reason = 'tenant_mismatch' and exists (
            select 1 from subjects s where s.subject = i.subject and (s.assigned_by = 'person' or s.tenant_key = i.tenant_key))))`;
  const rows = await sql<Omit<QuarantinedItem, 'row'> & { raw: RawRow; subject: string }>`
    select quarantine_number as "quarantineNumber", event_day as "eventDay", source_item_id as "sourceItemId",
      metric_name as "metricName", quarantine_reason as reason, accepted_at is not null as "isAccepted",
      retry_requested_at is not null as "isRequested", raw, subject
    from source_items i
    where quarantine_reason is not null and written_off_at is null and quarantine_reason <> 'unreadable_dimension'
      -- Whether it was billed once cannot be told any more, or it was billed as something else: only a person takes it up.
      and (quarantine_reason not in ('after_retention', 'counted_formerly') or retry_requested_at is not null)
      and quarantine_number > ${filter.afterNumber} and ${mayBeSound}
    order by quarantine_number limit ${filter.limit}`.execute(database);
  return rows.rows.map(({ raw, subject, ...item }) => ({ ...item, row: readRow(raw, subject) }));
}

/** A model, as it was told, whose usage waits because nobody named its maker. */
export interface UnnamedModel {
  model: string;
  rowCount: bigint;
  lastEventTime: Date | null;
}

export async function readUnnamedModels(database: LedgerDatabase): Promise<UnnamedModel[]> {
  const rows = await sql<UnnamedModel>`
    select model, count(*) as "rowCount", max(event_time) as "lastEventTime" from source_items
    where quarantine_reason = 'no_provider' and written_off_at is null group by model order by model`.execute(
    database,
  );
  return rows.rows;
}

type RawRow = Omit<SourceRow, 'eventTime' | 'ingestedAt'> & { eventTime: string | null; ingestedAt: string };

function readRow(raw: RawRow, subject: string): SourceRow {
  return {
    ...raw,
    // A person may have said whose a row without a subject is.
    ...(raw.subject.trim() === '' && subject.trim() !== '' ? { subject, tenantKey: '' } : {}),
    eventTime: raw.eventTime === null ? null : new Date(raw.eventTime),
    ingestedAt: new Date(raw.ingestedAt),
  };
}

/**
 * Takes items out of quarantine that were judged sound, with the events made from them: they are metered in the
 * minute they belong to, which opens their hour again. All or nothing.
 * @throws KnownItemsError when one of them is not in quarantine any more
 */
export async function commitTakenUp(
  database: LedgerDatabase,
  items: readonly SourceItem[],
  events: readonly UsageEvent[],
  now: Date,
): Promise<void> {
  if (items.length === 0) return;
  await database.transaction().execute(async (transaction) => {
    if ((await takeUpItems(transaction, items, now)) !== items.length) throw new KnownItemsError();
    await insertUsageEvents(transaction, events, now);
    await insertNewSubjects(transaction, items, now);
  });
}

/** Writes down that items wait because of their minute, and of those that do already, for what it says now. */
export async function commitHeld(
  database: LedgerDatabase,
  items: { held: readonly SourceItem[]; stillHeld: readonly SourceItem[] },
): Promise<void> {
  if (items.held.length + items.stillHeld.length === 0) return;
  await database.transaction().execute(async (transaction) => {
    await holdItems(transaction, items.held);
    await noteHeldItems(transaction, items.stillHeld);
  });
}

/** Writes down why items still wait that a person wanted judged again. */
export async function commitStillWaiting(
  database: LedgerDatabase,
  items: readonly { quarantineNumber: bigint; reason: string }[],
): Promise<void> {
  if (items.length === 0) return;
  await sql`
    update source_items s set quarantine_reason = t.reason, retry_requested_at = null,
      quarantine_detail = case when s.quarantine_reason = t.reason then s.quarantine_detail end
    from unnest(${items.map((item) => String(item.quarantineNumber))}::bigint[], ${items.map((item) => item.reason)}::text[])
      as t(number, reason)
    where s.quarantine_number = t.number and s.quarantine_reason is not null
      and (s.retry_requested_at is not null or s.quarantine_reason <> t.reason)`.execute(database);
}
