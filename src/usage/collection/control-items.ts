import { sql } from 'kysely';
import { floorToHour } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { ensurePartitions } from './partitions.ts';
import { type SourceItem, toJson } from './source-items.ts';

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
      insert into control_items as known (source, event_day, source_item_id, metric_name, event_time, ingested_at,
        subject, tenant_key, feature, model, deployment, token_kind, token_count, request_count, fault,
        request_facts, collected_at)
      select ${source}, told.*, ${now}::timestamptz from unnest(
        ${items.map((item) => item.eventDay)}::date[],
        ${items.map((item) => item.row.sourceItemId)}::text[],
        ${items.map((item) => item.row.metricName)}::text[],
        ${items.map((item) => item.row.eventTime?.toISOString() ?? null)}::timestamptz[],
        ${items.map((item) => item.row.ingestedAt.toISOString())}::timestamptz[],
        ${items.map((item) => item.row.subject)}::text[],
        ${items.map((item) => item.row.tenantKey)}::text[],
        ${items.map((item) => item.row.feature)}::text[],
        ${items.map((item) => item.row.model)}::text[],
        ${items.map((item) => item.row.deployment)}::text[],
        ${items.map((item) => item.tokenKind)}::text[],
        ${items.map((item) => String(item.tokenCount))}::bigint[],
        ${items.map((item) => String(item.requestCount))}::bigint[],
        ${items.map((item) => item.quarantineReason)}::text[],
        ${items.map(({ row }) => (row.request === undefined ? null : toJson(row.request)))}::jsonb[]) as told
      on conflict (source, event_day, source_item_id, metric_name) do update
        set event_time = excluded.event_time, ingested_at = excluded.ingested_at, subject = excluded.subject,
            tenant_key = excluded.tenant_key, feature = excluded.feature, model = excluded.model,
            deployment = excluded.deployment, token_kind = excluded.token_kind, token_count = excluded.token_count,
            request_count = excluded.request_count, fault = excluded.fault, request_facts = excluded.request_facts,
            collected_at = excluded.collected_at
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
