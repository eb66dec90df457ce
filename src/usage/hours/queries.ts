import { type RawBuilder, sql } from 'kysely';
import { countedText } from '../../../pricing/usage/names.ts';
import {
  byDimension,
  DIMENSION_NAMES,
  DIMENSIONS,
  type DimensionName,
} from '../../../pricing/usage/shape.ts';
import type { TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { IS_COLLECTION } from '../collection/watermarks.ts';
import { sameKey } from '../columns.ts';
import { countedColumn, countedKeyColumns, countedKeyValues } from '../name-keys.ts';

export const USAGE_DIMENSIONS = ['customer', ...DIMENSION_NAMES, 'tokenType'] as const;
export type UsageDimension = (typeof USAGE_DIMENSIONS)[number];
export type UsageGranularity = 'hour' | 'day' | 'month';

export interface UsageQuery extends Partial<Record<DimensionName, string>> {
  window: TimeWindow;
  granularity: UsageGranularity;
  groupBy: readonly UsageDimension[];
  customerId?: string;
  /** Values of the last row of the page before: window start as ISO text, then each grouped dimension. */
  after: readonly string[] | null;
  limit: number;
}

export interface UsageRow {
  windowStart: Date;
  /** Value of each grouped dimension; the empty text when the usage has none, e.g. no customer. */
  dimensions: Partial<Record<UsageDimension, string>>;
  tokenCount: bigint;
  /** Null when grouped by token type: a request has all of them. */
  requestCount: bigint | null;
  reasoningTokenCount: bigint | null;
}

/**
 * Whose a row of `hourly_usage as usage` is: of the customer it is billed to, or, while no push has taken it
 * up, of the customer its subject belongs to now, to whom the next push will give it.
 */
const CUSTOMER_OF_USAGE = sql<string | null>`coalesce(usage.customer_id,
  (select subjects.customer_id from subjects where subjects.subject = usage.subject))`;

/** The same rule as a condition on `hourly_usage as usage`, in a form that the customer's index serves. */
export function belongsTo(customerId: string): RawBuilder<boolean> {
  return sql`(usage.customer_id = ${customerId} or (usage.customer_id is null and usage.subject in
    (select subjects.subject from subjects where subjects.customer_id = ${customerId})))`;
}

/** That a row of `hourly_usage as usage` is anybody's. */
export const BELONGS_TO_SOMEBODY = sql<boolean>`(usage.customer_id is not null or usage.subject in
  (select subjects.subject from subjects where subjects.customer_id is not null))`;

/** How each dimension reads in the union below. */
const COLUMNS: Record<UsageDimension, RawBuilder<string>> = {
  customer: sql<string>`coalesce(customer_id, '')`,
  ...byDimension((name) => sql.raw<string>(DIMENSIONS[name].column)),
  tokenType: sql<string>`token_type`,
};

/**
 * Settled usage of the window, grouped, in the order of window start and then of the dimensions as bytes.
 * Requests and reasoning come from the hours' activity, which knows no customer: it belongs to whom the
 * hour's usage belongs, or, without any, to whom the subject belongs now.
 */
export async function queryUsage(database: LedgerDatabase, query: UsageQuery): Promise<UsageRow[]> {
  const byTokenType = query.groupBy.includes('tokenType');
  // A literal: as a parameter it would be another expression in each place, and grouping would not match.
  const bucket = sql`date_trunc(${sql.lit(query.granularity)}, window_start, 'UTC')`;
  const keys = [bucket, ...query.groupBy.map((dimension) => sql`(${COLUMNS[dimension]}) collate "C"`)];
  const result = await sql<{
    bucket: Date;
    dimensions: string[];
    token_count: bigint;
    request_count: bigint;
    reasoning_token_count: bigint;
  }>`
    with facts as (
      select window_start, ${CUSTOMER_OF_USAGE} as customer_id, ${countedKeyColumns('usage')}, token_type,
             delta_token_count as token_count, 0::bigint as request_count, 0::bigint as reasoning_token_count
        from hourly_usage as usage
       where ${filterOf(query)} and ${query.customerId === undefined ? sql`true` : belongsTo(query.customerId)}
      ${byTokenType ? sql`` : sql`union all ${activityOf(query)}`}
    )
    select ${bucket} as bucket,
           array[${sql.join(query.groupBy.map((dimension) => COLUMNS[dimension]))}]::text[] as dimensions,
           sum(token_count)::bigint as token_count,
           sum(request_count)::bigint as request_count,
           sum(reasoning_token_count)::bigint as reasoning_token_count
      from facts
     where ${query.customerId === undefined ? sql`true` : sql`customer_id = ${query.customerId}`}
       and ${query.after === null ? sql`true` : afterOf(keys, query.after)}
     group by ${sql.join([bucket, ...query.groupBy.map((dimension) => COLUMNS[dimension])])}
     order by ${sql.join(keys)}
     limit ${query.limit}`.execute(database);
  return result.rows.map((row) => ({
    windowStart: row.bucket,
    dimensions: Object.fromEntries(
      query.groupBy.map((dimension, index) => [dimension, row.dimensions[index] ?? '']),
    ),
    tokenCount: row.token_count,
    requestCount: byTokenType ? null : row.request_count,
    reasoningTokenCount: byTokenType ? null : row.reasoning_token_count,
  }));
}

function filterOf(query: UsageQuery): RawBuilder<boolean> {
  const conditions = [
    sql<boolean>`window_start >= ${query.window.start} and window_start < ${query.window.end}`,
  ];
  for (const name of DIMENSION_NAMES) {
    const value = query[name];
    if (value !== undefined) conditions.push(sql`${countedColumn(name)} = ${countedText(name, value)}`);
  }
  return sql`${sql.join(conditions, sql` and `)}`;
}

function activityOf(query: UsageQuery): RawBuilder<unknown> {
  return sql`
    select window_start,
           coalesce((select usage.customer_id from hourly_usage as usage
                      where usage.window_start = activity.window_start and ${sameKey('usage', 'activity')}
                      order by usage.hourly_usage_id desc limit 1),
                    (select subjects.customer_id from subjects where subjects.subject = activity.subject)),
           ${countedKeyValues('activity')}, '' as token_type, 0::bigint, request_count, reasoning_token_count
      from hourly_activity as activity
     where ${filterOf(query)}`;
}

function afterOf(keys: readonly RawBuilder<unknown>[], after: readonly string[]): RawBuilder<boolean> {
  const [start, ...dimensions] = after;
  const values = [sql`${start}::timestamptz`, ...dimensions.map((value) => sql`${value} collate "C"`)];
  return sql`(${sql.join([...keys])}) > (${sql.join(values)})`;
}

export interface UsageCompleteness {
  /** Hours of the window that are not settled yet; their usage is not in the answer. */
  openHourCount: bigint;
  /** Up to which ingestion time every source has been collected; null before the first collection. */
  collectedThrough: Date | null;
}

/** What an answer about a window may still lack. */
export async function readCompleteness(
  database: LedgerDatabase,
  window: TimeWindow,
): Promise<UsageCompleteness> {
  const open = await database
    .selectFrom('settlements')
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .where('status', '=', 'open')
    .where('window_start', '>=', window.start)
    .where('window_start', '<', window.end)
    .executeTakeFirstOrThrow();
  return { openHourCount: open.count, collectedThrough: await readCollectedThrough(database) };
}

/** Up to which ingestion time every source was collected; null: none was. */
export async function readCollectedThrough(database: LedgerDatabase): Promise<Date | null> {
  const collected = await database
    .selectFrom('watermarks')
    .select(({ fn }) => fn.min('position').as('position'))
    .where(IS_COLLECTION)
    .executeTakeFirst();
  return collected?.position ?? null;
}
