import { type RawBuilder, sql } from 'kysely';
import { HELD_REASONS } from '../../../pricing/usage/minutes.ts';
import { keyOf, type TokenKind, type UsageKey } from '../../../pricing/usage/shape.ts';
import type { SourceRow } from '../../azure/source.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import {
  bigintField,
  fieldOf,
  instantField,
  namesOf,
  type RowFields,
  textField,
  unnestRows,
} from '../../platform/database/unnest-rows.ts';
import { keyFields, selectKey } from '../columns.ts';
import { addMeasurements } from './measured-figures.ts';

/** A source row after judgement: either it feeds a usage event, or it waits in quarantine with a reason. */
export interface SourceItem {
  row: SourceRow;
  /** UTC day of the event, `YYYY-MM-DD`: the partition it lies in. */
  eventDay: string;
  tokenKind: TokenKind;
  tokenCount: bigint;
  requestCount: bigint;
  /** A part that its maker tells beside its whole: its tokens are counted in that whole by us. */
  countsApart: boolean;
  usageEventId: string | null;
  quarantineReason: string | null;
  /** What the reason alone does not say: the figures that contradict each other, a count that is none. */
  quarantineDetail: string | null;
  /** Of an item that waits in the ledger. */
  quarantineNumber?: bigint;
  /** Of one that waits because of its minute: a person takes that as it was told. */
  isAccepted?: boolean;
  /** The key that its event is counted by, where that is another spelling of its own: what it is part of was counted so. */
  countedAs?: UsageKey;
  /** The row as the source gave it, of a quarantined item: kept whole beside what the columns can hold. */
  original?: SourceRow;
}

/** How a known item stands: taken into usage or given up, or waiting in quarantine, for itself or because of its minute. */
export type KnownState = 'settled' | 'waiting' | 'held';

/** Which of these rows the ledger holds already, by `itemKey`, and how they stand. */
export async function findKnownItems(
  database: LedgerDatabase | LedgerTransaction,
  items: readonly { eventDay: string; row: Pick<SourceRow, 'sourceItemId' | 'metricName'> }[],
): Promise<Map<string, KnownState>> {
  if (items.length === 0) return new Map();
  // The lateral limit makes it one look into the primary key for each row. Left to choose, the planner, which
  // has no statistics of a partition that is being filled, reads whole partitions for every slice.
  const found = await sql<{
    event_day: string;
    source_item_id: string;
    metric_name: string;
    state: KnownState;
  }>`
    select wanted.event_day, wanted.id as source_item_id, wanted.metric as metric_name, known.state
    from unnest(${items.map((item) => item.eventDay)}::date[], ${items.map((item) => item.row.sourceItemId)}::text[],
                ${items.map((item) => item.row.metricName)}::text[]) as wanted(event_day, id, metric)
    cross join lateral (
      select case when ${IS_HELD} then 'held'
        -- Whether their usage was counted without them, and so waits for a person, is looked at where quarantine is taken up.
        when quarantine_reason in ('unknown_metric', 'counted_formerly') then 'settled'
        when quarantine_reason is not null and written_off_at is null then 'waiting' else 'settled' end as state
      from source_items s
      where ${isOfDaysOf(items)} and s.event_day = wanted.event_day and s.source_item_id = wanted.id
        and s.metric_name = wanted.metric
      limit 1) as known`.execute(database);
  return new Map(
    found.rows.map((row) => [itemKey(row.event_day, row.source_item_id, row.metric_name), row.state]),
  );
}

/** Of source items: those that wait because of their minute. As the index of them says it. */
export const IS_HELD = sql.raw(
  `quarantine_reason in (${HELD_REASONS.map((reason) => `'${reason}'`).join(', ')}) and written_off_at is null`,
);

/**
 * Of source items `s`: whether they are of the days of these. Said beside a join on the day, it spares the planner the
 * partitions of all other days, which it cannot know before it runs.
 */
export function isOfDaysOf(items: readonly { eventDay: string }[]): RawBuilder<boolean> {
  return sql<boolean>`s.event_day = any(${[...new Set(items.map((item) => item.eventDay))]}::date[])`;
}

/** What an item is known by. */
export const ITEM_KEY = ['event_day', 'source_item_id', 'metric_name'];

/** What every table of items holds of one. */
export const ITEM_FIELDS: RowFields<SourceItem> = {
  event_day: fieldOf('date', (item) => item.eventDay),
  source_item_id: textField((item) => item.row.sourceItemId),
  metric_name: textField((item) => item.row.metricName),
  event_time: instantField((item) => item.row.eventTime),
  ingested_at: instantField((item) => item.row.ingestedAt),
  tenant_key: textField((item) => item.row.tenantKey),
  ...keyFields<SourceItem>((item) => item.row),
  token_kind: textField((item) => item.tokenKind),
  token_count: bigintField((item) => item.tokenCount),
  request_count: bigintField((item) => item.requestCount),
  counts_apart: fieldOf('boolean', (item) => item.countsApart),
  request_facts: fieldOf('jsonb', ({ row }) => (row.request === undefined ? null : toJson(row.request))),
};

const NEW_ITEM_FIELDS: RowFields<SourceItem> = {
  ...ITEM_FIELDS,
  usage_event_id: textField((item) => item.usageEventId),
  quarantine_reason: textField((item) => item.quarantineReason),
  quarantine_detail: textField((item) => item.quarantineDetail),
  raw: fieldOf('jsonb', (item) =>
    item.quarantineReason === null ? null : rawJson(item.original ?? item.row),
  ),
};

/** The primary key of an item as one text. Postgres keeps no NUL, so none stands in what it parts. */
export function itemKey(eventDay: string, sourceItemId: string, metricName: string): string {
  return `${eventDay}\u0000${sourceItemId}\u0000${metricName}`;
}

/** The primary key of an item. */
export function keyOfItem({ eventDay, row }: Pick<SourceItem, 'eventDay' | 'row'>): string {
  return itemKey(eventDay, row.sourceItemId, row.metricName);
}

/** Inserts items that are not known yet; answers how many were new. */
export async function insertSourceItems(
  transaction: LedgerTransaction,
  collectionWindowId: bigint,
  items: readonly SourceItem[],
): Promise<number> {
  if (items.length === 0) return 0;
  const inserted = await sql`
    insert into source_items (${namesOf(NEW_ITEM_FIELDS)}, collection_window_id, quarantine_number)
    select ${namesOf(NEW_ITEM_FIELDS)}, ${collectionWindowId}::bigint,
      case when quarantine_reason is not null then nextval('quarantined_item_numbers') end
    from ${unnestRows('item', items, NEW_ITEM_FIELDS)}
    on conflict do nothing`.execute(transaction);
  // Items that the ledger holds already abort the transaction: what is added here is of new ones.
  await addMeasurements(transaction, items);
  return Number(inserted.numAffectedRows ?? 0n);
}

/** The row as the source gave it, without what Postgres cannot hold (NUL, lone surrogates are escaped twice). */
export function rawJson(row: SourceRow): string {
  const { eventTime } = row;
  const readable = {
    ...row,
    eventTime: eventTime === null || Number.isNaN(eventTime.getTime()) ? null : eventTime,
  };
  return toJson(readable);
}

/** JSON that Postgres can hold, whatever its texts hold. */
function toJson(fields: object): string {
  return JSON.stringify(fields, (_key, value) => {
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    return typeof value === 'string' ? value.replaceAll('\u0000', '\\u0000').toWellFormed() : value;
  });
}

/** An item's row, as `storedItemColumns` selects it. */
export type StoredItem = UsageKey & {
  event_day: string;
  source_item_id: string;
  metric_name: string;
  event_time: Date;
  ingested_at: Date;
  tenant_key: string;
  token_kind: TokenKind;
  token_count: bigint;
  request_count: bigint;
  counts_apart: boolean;
};

/** Of a sound item, whose columns say all that it said. */
export function storedItemColumns(alias: string): RawBuilder<unknown> {
  const names = [
    'event_day',
    'source_item_id',
    'metric_name',
    'event_time',
    'ingested_at',
    'tenant_key',
    'token_kind',
  ];
  const columns = [...names, 'token_count', 'request_count', 'counts_apart'].map((name) =>
    sql.ref(`${alias}.${name}`),
  );
  return sql`${sql.join(columns)}, ${selectKey(alias)}`;
}

export function readStoredItem(stored: StoredItem, usageEventId: string | null): SourceItem {
  return {
    row: {
      sourceItemId: stored.source_item_id,
      eventTime: stored.event_time,
      ingestedAt: stored.ingested_at,
      metricName: stored.metric_name,
      sum: String(stored.token_count),
      itemCount: String(stored.request_count),
      tenantKey: stored.tenant_key,
      ...keyOf(stored),
    },
    eventDay: stored.event_day,
    tokenKind: stored.token_kind,
    tokenCount: stored.token_count,
    requestCount: stored.request_count,
    countsApart: stored.counts_apart,
    usageEventId,
    quarantineReason: null,
    quarantineDetail: null,
  };
}
