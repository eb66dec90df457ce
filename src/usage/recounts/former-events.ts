import { sql } from 'kysely';
import { countedKey } from '../../../pricing/usage/names.ts';
import {
  FIGURES,
  type FigureName,
  keyOf,
  type UsageFigures,
  type UsageKey,
  usageKeyText,
} from '../../../pricing/usage/shape.ts';
import { floorToMinute } from '../../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import {
  bigintField,
  instantField,
  type RowFields,
  unnestRows,
} from '../../platform/database/unnest-rows.ts';
import { ADDED_TOKENS } from '../collection/retention.ts';
import type { SourceItem } from '../collection/source-items.ts';
import { keyColumns, keyFields, sameKey, selectFigures, selectKey, typedColumns } from '../columns.ts';
import { ofMinutes } from '../events/minute-sums.ts';
import { insertUsageEvents, type UsageEvent } from '../events/usage-events.ts';
import { COUNTED_FORMERLY, IS_FORMER, inMonth } from './gather.ts';

/** A usage event that was counted by the former rules. */
export interface FormerEvent extends UsageKey, UsageFigures {
  usageEventId: string;
  windowStart: Date;
  eventTime: Date;
}

/** Of a customer's month and these models, whole hours of one key together, so that an hour is recounted at once. */
export async function readFormerEvents(
  database: LedgerDatabase,
  of: { customerId: string; month: string; models: readonly string[]; hourLimit: number },
): Promise<FormerEvent[]> {
  const rows = await sql<FormerEvent>`
    with hours as (
      select distinct e.window_start, ${keyColumns('e')} from usage_events e join subjects s on s.subject = e.subject
      where s.customer_id = ${of.customerId} and ${inMonth(of.month)} and ${IS_FORMER} and e.model = any(${of.models}::text[])
      order by e.window_start, ${keyColumns('e')} limit ${of.hourLimit})
    select e.usage_event_id as "usageEventId", e.window_start as "windowStart", e.event_time as "eventTime",
      ${selectKey('e')}, ${selectFigures('e')}
    from usage_events e join hours h on h.window_start = e.window_start and ${sameKey('h', 'e')}
    where ${IS_FORMER} order by e.usage_event_id`.execute(database);
  return rows.rows;
}

/**
 * Commits what the events lacked, in one transaction: the events that add it, and that these, their rows, and the sums of
 * rows that were dropped are counted by the rules of today.
 * @param apart kinds of rows that are told beside their whole
 * @returns false when another run was faster, and nothing was written
 */
export async function commitRecounted(
  database: LedgerDatabase,
  given: {
    former: readonly FormerEvent[];
    additions: readonly UsageEvent[];
    apart: readonly FigureName[];
    now: Date;
  },
): Promise<boolean> {
  const { former, additions, apart, now } = given;
  const ids = former.map((event) => event.usageEventId);
  const kinds = apart.flatMap((figure) => FIGURES[figure].tokenKind ?? []);
  return await database.transaction().execute(async (transaction) => {
    const changed = await sql`
      update usage_events set counting_version = default, counted_formerly = false
      where usage_event_id = any(${ids}::text[]) and ${IS_FORMER}`.execute(transaction);
    if (changed.numAffectedRows !== BigInt(ids.length)) {
      if (changed.numAffectedRows === 0n) return false;
      throw new RangeError('some events of an hour were recounted, and others were not');
    }
    await sql`
      update source_items i set counts_apart = true
      from usage_events e where e.usage_event_id = any(${ids}::text[]) and i.usage_event_id = e.usage_event_id
        and i.event_day = (e.event_time at time zone 'UTC')::date and i.token_kind = any(${kinds}::text[])`.execute(
      transaction,
    );
    await recountDroppedSums(transaction, { former, additions });
    await insertUsageEvents(transaction, additions, now);
    return true;
  });
}

/** The same of rows whose day was dropped: their sums take it over, and are counted as those of other rows. */
async function recountDroppedSums(
  transaction: LedgerTransaction,
  given: { former: readonly FormerEvent[]; additions: readonly UsageEvent[] },
): Promise<void> {
  await sql`
    with moved as (
      delete from dropped_item_sums d using ${unnestRows('hour', given.former, HOUR_FIELDS)}
      where d.window_start = hour.window_start and ${sameKey('d', 'hour')} and d.counted_formerly returning d.*)
    insert into dropped_item_sums as known (window_start, ${keyColumns()}, counted_formerly, ${typedColumns()}, first_ingested_at)
    select window_start, ${keyColumns()}, false, ${typedColumns()}, first_ingested_at from moved
    on conflict (window_start, ${keyColumns()}, counted_formerly) do update
      set ${ADDED_TOKENS}, first_ingested_at = least(known.first_ingested_at, excluded.first_ingested_at)`.execute(
    transaction,
  );
  await sql`
    update dropped_item_sums d set prompt_token_count = d.prompt_token_count + added.tokens
    from (select window_start, ${keyColumns()}, sum(tokens) as tokens
      from ${unnestRows('one', given.additions, { ...HOUR_FIELDS, tokens: bigintField<UsageEvent>((event) => event.promptTokenCount) })}
      group by window_start, ${keyColumns()}) as added
    where d.window_start = added.window_start and ${sameKey('d', 'added')} and not d.counted_formerly
      and exists (select 1 from dropped_item_days day where day.event_day = (added.window_start at time zone 'UTC')::date)`.execute(
    transaction,
  );
}

const HOUR_FIELDS: RowFields<Pick<FormerEvent, 'windowStart' | keyof UsageKey>> = {
  window_start: instantField((event) => event.windowStart),
  ...keyFields<UsageKey>((key) => key),
};

/** Asks for the rows of a customer's month that tell parts of what was counted without them. */
export async function requestUntoldParts(
  database: LedgerDatabase,
  of: { customerId: string; month: string; now: Date },
): Promise<void> {
  await sql`
    update source_items i set retry_requested_at = ${of.now} from subjects s
    where s.subject = i.subject and s.customer_id = ${of.customerId} and i.quarantine_reason = ${COUNTED_FORMERLY}
      and i.written_off_at is null and i.retry_requested_at is null
      and to_char(i.event_day, 'YYYY-MM') = ${of.month}`.execute(database);
}

/** Which of these items belong to a minute of which the former rules counted usage. */
export async function findFormerlyCounted(
  database: LedgerDatabase,
  items: readonly SourceItem[],
): Promise<SourceItem[]> {
  if (items.length === 0) return [];
  const minutes = items.map((item) => ({
    item,
    eventTime: floorToMinute(item.row.eventTime ?? new Date(0)),
    key: countedKey(item.row),
  }));
  const found = await sql<UsageKey & { eventTime: Date }>`
    select distinct event_time as "eventTime", ${selectKey()} from usage_events
    where ${ofMinutes(minutes)} and ${IS_FORMER}`.execute(database);
  const known = new Set(found.rows.map((row) => usageKeyText(row.eventTime, countedKey(keyOf(row)))));
  return minutes.flatMap(({ item, eventTime, key }) =>
    known.has(usageKeyText(eventTime, key)) ? [item] : [],
  );
}
