import { sql } from 'kysely';
import { floorToHour } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import {
  assignments,
  namesOf,
  type RowFields,
  textField,
  unnestRows,
} from '../../platform/database/unnest-rows.ts';
import { ensurePartitions } from './partitions.ts';
import { ITEM_FIELDS, ITEM_KEY, type SourceItem } from './source-items.ts';

const CONTROL_FIELDS: RowFields<SourceItem> = {
  ...ITEM_FIELDS,
  fault: textField((item) => item.quarantineReason),
};
/** What a later reading of an item replaces. */
const READ_COLUMNS = Object.keys(CONTROL_FIELDS).filter((column) => !ITEM_KEY.includes(column));

/** One slice of the control source; nothing in it ever bills. */
export interface ControlSlice {
  source: string;
  items: SourceItem[];
  /** Absent for slices that do not move the watermark. */
  watermark?: Date;
}

/**
 * Commits a slice of the control with its watermark. A known item stays as it is, unless it had a fault: then
 * its later reading replaces it, as a gateway log that came late gives a request its user.
 * @returns how many items were new or replaced
 */
export async function commitControlSlice(
  database: LedgerDatabase,
  slice: ControlSlice,
  now: Date,
): Promise<number> {
  const { source, items, watermark } = slice;
  await ensurePartitions(database, 'control_items', new Set(items.map((item) => item.eventDay)), now);
  return await database.transaction().execute(async (transaction) => {
    if (watermark !== undefined) {
      await transaction
        .insertInto('control_watermarks')
        .values({ source, position: watermark, updated_at: now })
        .onConflict((conflict) =>
          conflict
            .column('source')
            .doUpdateSet({ position: watermark, updated_at: now })
            .where('control_watermarks.position', '<', watermark),
        )
        .execute();
    }
    if (items.length === 0) return 0;
    const written = await sql`
      insert into control_items as known (source, ${namesOf(CONTROL_FIELDS)}, collected_at)
      select ${source}, told.*, ${now}::timestamptz from ${unnestRows('told', items, CONTROL_FIELDS)}
      on conflict (source, event_day, source_item_id, metric_name) do update
        set ${assignments([...READ_COLUMNS, 'collected_at'], 'excluded')}
        where known.fault is not null`.execute(transaction);
    return Number(written.numAffectedRows ?? 0n);
  });
}

/** Up to which ingestion time a control source has been collected; null before its first slice. */
export async function readControlWatermark(database: LedgerDatabase, source: string): Promise<Date | null> {
  const row = await database
    .selectFrom('control_watermarks')
    .select('position')
    .where('source', '=', source)
    .executeTakeFirst();
  return row?.position ?? null;
}

/**
 * Hours with requests whose gateway log had not arrived when they were last read, before `readBefore`.
 * Oldest first; none from before `since`.
 */
export async function findUnattributedHours(
  database: LedgerDatabase,
  query: { source: string; since: Date; readBefore: Date; limit: number },
): Promise<Date[]> {
  const found = await sql<{ hour: Date }>`
    select date_trunc('hour', event_time, 'UTC') as hour from control_items
    where source = ${query.source} and event_time >= ${floorToHour(query.since)} and fault is not null
      and request_facts ->> 'hasGatewayLog' = 'false'
    group by 1 having min(collected_at) < ${query.readBefore} order by 1 limit ${query.limit}`.execute(
    database,
  );
  return found.rows.map((row) => row.hour);
}
