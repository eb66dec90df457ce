import { sql } from 'kysely';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { countedColumn } from '../usage/name-keys.ts';
import { countDueCostDays, daysOf } from './notes.ts';

/** Tokens whose cost is unknown. */
interface UnknownCost {
  reason: string;
  tokenCount: bigint;
}

/** Of a daily cost: `cache_writes_not_told` where it is that of known tokens beside others that nobody counted. */
export const UNTOLD_WRITES = sql<string | null>`case when 'cache_writes_not_told' = any(price_notes)
  then 'cache_writes_not_told' end`;

/** Bought capacity that nobody is charged for, by deployment. */
export async function readIdleCosts(
  database: LedgerDatabase,
  window: TimeWindow,
): Promise<{ deployment: string; costPicoUsd: bigint }[]> {
  const result = await sql<{ deployment: string; cost: string }>`
    select ${countedColumn('deployment')} as deployment, sum(cost_pico_usd)::text as cost from daily_costs
    where kind = 'idle' and ${daysOf(window)} group by 1 order by 1`.execute(database);
  return result.rows.map((row) => ({ deployment: row.deployment, costPicoUsd: BigInt(row.cost) }));
}

/** What each day of a window cost, as far as it is known; without capacity that nobody is charged for. */
export async function readKnownDayCosts(
  database: LedgerDatabase,
  window: TimeWindow,
): Promise<{ day: string; costPicoUsd: bigint; tokenCount: bigint; unknownTokenCount: bigint }[]> {
  const result = await sql<{ day: string; cost: string; tokens: string; unknown: string }>`
    select day::text as day, coalesce(sum(cost_pico_usd), 0)::text as cost, coalesce(sum(token_count), 0)::text as tokens,
      coalesce(sum(token_count) filter (where reason is not null), 0)::text as unknown
    from daily_costs where kind <> 'idle' and ${daysOf(window)} group by 1 order by 1`.execute(database);
  return result.rows.map(({ day, cost, tokens, unknown }) => ({
    day,
    costPicoUsd: BigInt(cost),
    tokenCount: BigInt(tokens),
    unknownTokenCount: BigInt(unknown),
  }));
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

/** Tokens of a window without a known cost: of a customer, or all. */
export async function countUnpricedTokens(
  database: LedgerDatabase,
  { window, customerId = null }: { window: TimeWindow; customerId?: string | null | undefined },
): Promise<bigint> {
  const result = await sql<{ tokens: bigint }>`
    select coalesce(sum(token_count), 0)::bigint as tokens from daily_costs
    where cost_pico_usd is null and ${daysOf(window)}
      and (${customerId}::text is null or customer_id = ${customerId})`.execute(database);
  return result.rows[0]?.tokens ?? 0n;
}

/** Tokens of a model without a known cost. */
export interface UnknownModelCost extends UnknownCost {
  model: string;
  oldestDay: string;
}

/** All tokens without a known cost, by reason and model: what status and metrics show. */
export async function readUnknownCosts(database: LedgerDatabase): Promise<UnknownModelCost[]> {
  const result = await sql<{ reason: string; model: string; tokens: bigint; oldest: string }>`
    select reason, ${countedColumn('model')} as model, sum(token_count)::bigint as tokens, min(day) as oldest
    from daily_costs where cost_pico_usd is null group by 1, 2 order by 1, 2`.execute(database);
  return result.rows.map(({ reason, model, tokens, oldest }) => ({
    reason,
    model,
    tokenCount: tokens,
    oldestDay: oldest,
  }));
}
