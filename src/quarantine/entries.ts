import { type RawBuilder, sql } from 'kysely';
import { CARRY_TO_NEXT_INVOICE } from '../billing/meter-pushes.ts';
import { UNINVOICED } from '../billing/uninvoiced/groups.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

export const QUARANTINE_STAGES = ['source_item', 'usage_event', 'hourly_usage', 'meter_push'] as const;
/** Where usage waits: before metering (the first two) or before billing (the others). */
export type QuarantineStage = (typeof QUARANTINE_STAGES)[number];

/** The reason of usage whose meter event Stripe refused for good. */
export const REFUSED_BY_STRIPE = 'refused_by_stripe';

/** Everything that waits at one stage for one reason. `tokenCount` of a metric that nobody knows is what it counted. */
export interface QuarantineSummary {
  stage: QuarantineStage;
  reason: string;
  /** The metric that nobody knows, where that is the reason: each is counted by itself. */
  metricName: string | null;
  rowCount: bigint;
  tokenCount: bigint;
  /** Since when the oldest of it waits. */
  oldestAt: Date;
}

/** One thing that waits, or that was written off. */
export interface QuarantineEntry {
  quarantineId: string;
  stage: QuarantineStage;
  reason: string;
  /** What the reason alone does not say: which figures contradict each other, why usage is carried over, what Stripe answered. */
  detail: string | null;
  eventTime: Date | null;
  /** Empty for a push, which sums many subjects. */
  subject: string;
  feature: string;
  model: string;
  /** Of a source item: the metric that told it. */
  metricName: string | null;
  customerId: string | null;
  tokenCount: bigint;
  waitingSince: Date;
  writtenOffAt: Date | null;
}

export interface QuarantineFilter {
  stage?: QuarantineStage | undefined;
  reason?: string | undefined;
  customerId?: string | undefined;
}

/** One metric is one thing to look into; other reasons name theirs entry by entry. */
const UNKNOWN_METRIC = sql`case when reason = 'unknown_metric' then metric_name end`;

/** Every stage and reason for which usage waits, the most tokens first; of source items from the sums that are kept of them. */
export async function readQuarantineSummary(database: LedgerDatabase): Promise<QuarantineSummary[]> {
  const result = await sql<QuarantineSummary>`
    select stage, reason, null as "metricName", count(*) as "rowCount", sum(token_count)::bigint as "tokenCount",
      min(waiting_since) as "oldestAt"
    from held_usage_entries where written_off_at is null group by 1, 2
    union all
    select 'source_item', reason, nullif(metric_name, ''), sum(held.rows)::bigint, sum(held.tokens)::bigint,
      min(coalesce(brought.collected_at, held.first_ingested_at))
    from (select reason, metric_name, collection_window_id, sum(row_count) as rows, sum(token_count) as tokens,
            min(first_ingested_at) as first_ingested_at
          from held_item_sums where not is_written_off group by 1, 2, 3 having sum(row_count) > 0) as held
    left join collection_windows as brought using (collection_window_id) group by 2, 3
    order by 5 desc, 1, 2, 3`.execute(database);
  return result.rows;
}

/** What waits, the longest first, after a given entry. */
export async function listQuarantine(
  database: LedgerDatabase,
  filter: QuarantineFilter,
  page: { after: { waitingSince: Date; quarantineId: string } | null; limit: number },
): Promise<QuarantineEntry[]> {
  const conditions: RawBuilder<unknown>[] = [sql`written_off_at is null`];
  if (filter.stage !== undefined) conditions.push(sql`stage = ${filter.stage}`);
  if (filter.reason !== undefined) conditions.push(sql`reason = ${filter.reason}`);
  if (filter.customerId !== undefined) conditions.push(sql`customer_id = ${filter.customerId}`);
  if (page.after !== null) {
    const { waitingSince, quarantineId } = page.after;
    conditions.push(
      sql`(date_trunc('milliseconds', waiting_since), quarantine_id collate "C") > (${waitingSince}::timestamptz, ${quarantineId})`,
    );
  }
  const result = await sql<QuarantineEntry>`
    select ${ENTRY_COLUMNS} from quarantine_entries where ${sql.join(conditions, sql` and `)}
    order by date_trunc('milliseconds', waiting_since), quarantine_id collate "C" limit ${page.limit}`.execute(
    database,
  );
  return result.rows;
}

/** The newest few entries of each stage and reason, to show a person what they are. */
export async function readQuarantineExamples(
  database: LedgerDatabase,
  countPerReason: number,
): Promise<QuarantineEntry[]> {
  const result = await sql<QuarantineEntry>`
    select ${ENTRY_COLUMNS} from (
      select entries.*, row_number() over (
        partition by stage, reason, ${UNKNOWN_METRIC} order by event_time desc nulls last, subject, model, token_count desc) as place
      from quarantine_entries as entries where written_off_at is null) as numbered
    where place <= ${countPerReason} order by stage, reason, place`.execute(database);
  return result.rows;
}

/** One entry by its id, whether it waits or was written off; null when it does neither. */
export async function findQuarantineEntry(
  database: LedgerDatabase,
  quarantineId: string,
): Promise<QuarantineEntry | null> {
  const result = await sql<QuarantineEntry>`
    select ${ENTRY_COLUMNS} from quarantine_entries where quarantine_id = ${quarantineId}`.execute(database);
  return result.rows[0] ?? null;
}

const ENTRY_COLUMNS = sql`quarantine_id as "quarantineId", stage, reason, detail, event_time as "eventTime", subject,
  feature, model, metric_name as "metricName", customer_id as "customerId", token_count as "tokenCount", waiting_since as "waitingSince",
  written_off_at as "writtenOffAt"`;

/**
 * Whether something waits so long that a person should look. What is carried to the next invoice waits by plan, and what is
 * uninvoiced is told by its cause at once.
 */
export function isAlarming(
  summary: Pick<QuarantineSummary, 'reason' | 'oldestAt'>,
  now: Date,
  alarmAfterMs: number,
): boolean {
  return (
    summary.reason !== CARRY_TO_NEXT_INVOICE &&
    summary.reason !== UNINVOICED &&
    now.getTime() - summary.oldestAt.getTime() > alarmAfterMs
  );
}
