import { sql } from 'kysely';
import type { RequestFacts } from '../../azure/source.ts';
import { addMs, MINUTE_MS } from '../../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import {
  assignments,
  fieldOf,
  instantField,
  type RowFields,
  textField,
  unnestRows,
} from '../../platform/database/unnest-rows.ts';
import type { EventMinute } from '../events/minute-sums.ts';
import {
  IS_HELD,
  ITEM_FIELDS,
  ITEM_KEY,
  isOfDaysOf,
  rawJson,
  readStoredItem,
  type SourceItem,
  type StoredItem,
  storedItemColumns,
} from './source-items.ts';

/** Items that wait because of their minute, of subjects and minutes of these; other keys of them may be among them. */
export async function readHeldItems(
  database: LedgerDatabase | LedgerTransaction,
  minutes: readonly EventMinute[],
): Promise<SourceItem[]> {
  if (minutes.length === 0) return [];
  // Mostly nothing waits, and then thousands of minutes need not be looked for one by one.
  const some = await sql`
    select 1 from source_items s where ${isOfDaysOf(minutes)} and ${IS_HELD} limit 1`.execute(database);
  if (some.rows.length === 0) return [];
  const wanted = new Map(
    minutes.map((minute) => [`${minute.eventTime.getTime()} ${minute.key.subject}`, minute]),
  );
  const found = await sql<HeldRow>`
    select held.* from ${unnestRows('wanted', [...wanted.values()], {
      event_day: fieldOf('date', (minute) => minute.eventDay),
      subject: textField((minute) => minute.key.subject),
      begins: instantField((minute) => minute.eventTime),
      ends: instantField((minute) => addMs(minute.eventTime, MINUTE_MS)),
    })}
    cross join lateral (
      select ${HELD_COLUMNS} from source_items s
      where ${isOfDaysOf(minutes)} and s.event_day = wanted.event_day and s.subject = wanted.subject and s.event_time >= wanted.begins
        and s.event_time < wanted.ends and ${IS_HELD}) as held`.execute(database);
  return found.rows.map(readHeldRow);
}

type HeldRow = StoredItem & {
  request_facts: RequestFacts | null;
  quarantine_number: bigint;
  is_accepted: boolean;
};

const HELD_COLUMNS = sql`${storedItemColumns('s')}, s.request_facts, s.quarantine_number,
  s.accepted_at is not null as is_accepted`;

/** What waits because of its minute is sound. */
function readHeldRow(held: HeldRow): SourceItem {
  const { row, ...item } = readStoredItem(held, null);
  return {
    ...item,
    row: { ...row, ...(held.request_facts === null ? {} : { request: held.request_facts }) },
    quarantineNumber: held.quarantine_number,
    isAccepted: held.is_accepted,
  };
}

const KEY_FIELDS: RowFields<SourceItem> = {
  event_day: fieldOf('date', (item) => item.eventDay),
  source_item_id: textField((item) => item.row.sourceItemId),
  metric_name: textField((item) => item.row.metricName),
};
const REASON_FIELDS: RowFields<SourceItem> = {
  quarantine_reason: textField((item) => item.quarantineReason),
  quarantine_detail: textField((item) => item.quarantineDetail),
};
const TOLD_FIELDS: RowFields<SourceItem> = {
  ...ITEM_FIELDS,
  ...REASON_FIELDS,
  raw: fieldOf('jsonb', (item) => rawJson(item.original ?? item.row)),
};

/** Items that waited for a reason of their own, are sound as told now, and wait because of their minute from now on. */
export async function holdItems(transaction: LedgerTransaction, items: readonly SourceItem[]): Promise<void> {
  await update(transaction, items, TOLD_FIELDS);
}

/** Why items wait because of their minute, when more of it has come and it still contradicts itself. */
export async function noteHeldItems(
  transaction: LedgerTransaction,
  items: readonly SourceItem[],
): Promise<void> {
  await update(transaction, items, { ...KEY_FIELDS, ...REASON_FIELDS });
}

async function update(
  transaction: LedgerTransaction,
  items: readonly SourceItem[],
  fields: RowFields<SourceItem>,
): Promise<void> {
  if (items.length === 0) return;
  const columns = Object.keys(fields).filter((column) => !ITEM_KEY.includes(column));
  await sql`
    update source_items s set ${assignments(columns, 'told')}, retry_requested_at = null
    from ${unnestRows('told', items, fields)}
    where ${isOfDaysOf(items)} and s.event_day = told.event_day and s.source_item_id = told.source_item_id and s.metric_name = told.metric_name
      and s.quarantine_reason is not null and s.written_off_at is null
      and (s.retry_requested_at is not null or s.quarantine_reason <> told.quarantine_reason
        or s.quarantine_detail is distinct from told.quarantine_detail)`.execute(transaction);
}
