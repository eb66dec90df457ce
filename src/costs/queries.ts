import { type RawBuilder, sql } from 'kysely';
import { modelKey, nameKey } from '../../pricing/usage/names.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { countedColumn } from '../usage/name-keys.ts';
import { countDueCostDays, daysOf } from './notes.ts';

export const COST_DIMENSIONS = ['day', 'customer', 'model', 'feature', 'deployment'] as const;
export type CostDimension = (typeof COST_DIMENSIONS)[number];

export interface CostQuery {
  /** Whole UTC days. */
  window: TimeWindow;
  groupBy: readonly CostDimension[];
  customerId?: string;
  model?: string;
  feature?: string;
  deployment?: string;
  /** Values of the last row of the page before. */
  after: readonly string[] | null;
  limit: number;
}

/** What is counted of a window, without how it is divided. */
export type CostFilter = Omit<CostQuery, 'after' | 'limit' | 'groupBy'>;

/** Tokens whose cost is unknown. */
interface UnknownCost {
  reason: string;
  tokenCount: bigint;
}

export interface CostTotals {
  tokenCount: bigint;
  /** Of usage that is priced by the token, as far as its price is known. */
  tokenCostPicoUsd: bigint;
  /** Shares of bought capacity. */
  provisionedCostPicoUsd: bigint;
  unknown: UnknownCost[];
}

export interface CostRow extends CostTotals {
  /** The empty text where the usage has none, e.g. no customer. */
  dimensions: Partial<Record<CostDimension, string>>;
}

/** Of a daily cost: `cache_writes_not_told` where it is that of known tokens beside others that nobody counted. */
export const UNTOLD_WRITES = sql<string | null>`case when 'cache_writes_not_told' = any(price_notes)
  then 'cache_writes_not_told' end`;

const COLUMNS: Record<CostDimension, RawBuilder<string>> = {
  day: sql<string>`day::text`,
  customer: sql<string>`coalesce(customer_id, '')`,
  model: countedColumn('model'),
  feature: sql<string>`feature`,
  deployment: countedColumn('deployment'),
};

interface RawTotals {
  tokens: string;
  token_cost: string;
  provisioned_cost: string;
  unknown: { reason: string; tokens: string }[] | null;
}

/** What was used and what it cost, grouped, in the order of the dimensions as bytes. Idle capacity is not in it. */
export async function queryCosts(database: LedgerDatabase, query: CostQuery): Promise<CostRow[]> {
  const columns = query.groupBy.map((dimension) => COLUMNS[dimension]);
  const keys = columns.map((column) => sql`(${column}) collate "C"`);
  const dimensions = sql`array[${sql.join(columns)}]::text[]`;
  const after =
    query.after === null || keys.length === 0
      ? sql`true`
      : sql`(${sql.join(keys)}) > (${sql.join(query.after.map((value) => sql`${value} collate "C"`))})`;
  const result = await sql<RawTotals & { dimensions: string[] }>`
    with parts as (
      select ${dimensions} as dimensions, kind, ${REASON} as reason, sum(token_count) as tokens, sum(cost_pico_usd) as cost
      from daily_costs where kind <> 'idle' and ${filterOf(query)} and ${after}
      group by 1, 2, 3)
    select dimensions, ${TOTALS} from parts group by dimensions
    order by dimensions collate "C"
    limit ${query.limit}`.execute(database);
  return result.rows.map((row) => ({
    dimensions: Object.fromEntries(
      query.groupBy.map((dimension, index) => [dimension, row.dimensions[index] ?? '']),
    ),
    ...toTotals(row),
  }));
}

/** Why cost is unknown; also where all that is known has its cost, and what was written to the cache nobody told. */
const REASON = sql<string | null>`coalesce(reason, ${UNTOLD_WRITES})`;

/** Tokens with a cost are not unknown: beside them were others that nobody counted. */
const TOTALS = sql`
  sum(tokens)::text as tokens,
  coalesce(sum(cost) filter (where kind = 'tokens'), 0)::text as token_cost,
  coalesce(sum(cost) filter (where kind = 'provisioned'), 0)::text as provisioned_cost,
  jsonb_agg(jsonb_build_object('reason', reason, 'tokens', case when cost is null then tokens else 0 end::text)
    order by reason) filter (where reason is not null) as unknown`;

/** The sums of everything that the query means, on whatever page. */
export async function readCostTotals(database: LedgerDatabase, query: CostFilter): Promise<CostTotals> {
  const result = await sql<RawTotals>`
    with parts as (
      select kind, ${REASON} as reason, sum(token_count) as tokens, sum(cost_pico_usd) as cost
      from daily_costs where kind <> 'idle' and ${filterOf(query)} group by 1, 2)
    select ${TOTALS} from parts`.execute(database);
  const [row] = result.rows;
  return row === undefined || row.tokens === null
    ? { tokenCount: 0n, tokenCostPicoUsd: 0n, provisionedCostPicoUsd: 0n, unknown: [] }
    : toTotals(row);
}

/** Bought capacity that nobody is charged for, by deployment. */
export async function readIdleCosts(
  database: LedgerDatabase,
  window: TimeWindow,
): Promise<{ deployment: string; costPicoUsd: bigint }[]> {
  const result = await sql<{ deployment: string; cost: string }>`
    select ${COLUMNS.deployment} as deployment, sum(cost_pico_usd)::text as cost from daily_costs
    where kind = 'idle' and ${daysOf(window)} group by 1 order by 1`.execute(database);
  return result.rows.map((row) => ({ deployment: row.deployment, costPicoUsd: BigInt(row.cost) }));
}

/** What an answer about costs may still lack, and which states of the price book it rests on. */
export async function readCostCompleteness(
  database: LedgerDatabase,
  window: TimeWindow,
): Promise<{ dueDayCount: bigint; ratedDayCount: bigint; priceBookVersions: string[] }> {
  const dueDayCount = await countDueCostDays(database, window);
  const result = await sql<{ rated: bigint; versions: string[] | null }>`
    select count(*) as rated, array_agg(distinct price_book_version) as versions
    from cost_days where revision > 0 and ${daysOf(window)}`.execute(database);
  const row = result.rows[0];
  return {
    dueDayCount,
    ratedDayCount: row?.rated ?? 0n,
    priceBookVersions: row?.versions ?? [],
  };
}

/** Tokens of a model without a known cost. */
export interface UnknownModelCost extends UnknownCost {
  model: string;
  oldestDay: string;
}

/** All tokens without a known cost, by reason and model: what status and metrics show. */
export async function readUnknownCosts(database: LedgerDatabase): Promise<UnknownModelCost[]> {
  const result = await sql<{ reason: string; model: string; tokens: bigint; oldest: string }>`
    select reason, ${COLUMNS.model} as model, sum(token_count)::bigint as tokens, min(day) as oldest
    from daily_costs where cost_pico_usd is null group by 1, 2 order by 1, 2`.execute(database);
  return result.rows.map(({ reason, model, tokens, oldest }) => ({
    reason,
    model,
    tokenCount: tokens,
    oldestDay: oldest,
  }));
}

function filterOf(query: Omit<CostQuery, 'after' | 'limit' | 'groupBy'>): RawBuilder<boolean> {
  const conditions = [daysOf(query.window)];
  if (query.customerId !== undefined) conditions.push(sql`customer_id = ${query.customerId}`);
  if (query.model !== undefined) conditions.push(sql`${COLUMNS.model} = ${modelKey(query.model)}`);
  if (query.feature !== undefined) conditions.push(sql`feature = ${query.feature}`);
  if (query.deployment !== undefined)
    conditions.push(sql`${COLUMNS.deployment} = ${nameKey(query.deployment)}`);
  return sql<boolean>`${sql.join(conditions, sql` and `)}`;
}

function toTotals(row: RawTotals): CostTotals {
  return {
    tokenCount: BigInt(row.tokens),
    tokenCostPicoUsd: BigInt(row.token_cost),
    provisionedCostPicoUsd: BigInt(row.provisioned_cost),
    unknown: (row.unknown ?? []).map(({ reason, tokens }) => ({ reason, tokenCount: BigInt(tokens) })),
  };
}
