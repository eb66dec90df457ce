import { sql } from 'kysely';
import { modelKey } from '../../pricing/usage/names.ts';
import { addMs, DAY_MS } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { countedColumn } from '../usage/name-keys.ts';

/** Days back over which an average is taken: a month of use, with its nights and weekends. */
const AVERAGED_DAYS = 30;

/** What all of a model's rated tokens cost us. */
export interface AverageCost {
  costPicoUsd: bigint;
  tokenCount: bigint;
}

/** Whether throughput was bought by the hour in the days that an average is of; part of a statement. */
export function hasProvisionedCapacity(now: Date) {
  return sql<boolean>`exists (
    select from provisioned_capacity
     where unit_count > 0 and valid_from < ${now}
       and coalesce(valid_until, 'infinity') > ${addMs(now, -AVERAGED_DAYS * DAY_MS)})`;
}

/**
 * What tokens of these models cost in the last 30 days, with their shares of the throughput bought by the hour. Only
 * models that such throughput served and whose every token has a cost.
 */
export async function readAverageCosts(
  database: LedgerDatabase,
  models: readonly string[],
  now: Date,
): Promise<Map<string, AverageCost>> {
  const since = addMs(now, -AVERAGED_DAYS * DAY_MS)
    .toISOString()
    .slice(0, 10);
  const result = await sql<{ model: string; cost: string; token_count: bigint }>`
    select ${countedColumn('model')} as model, sum(cost_pico_usd)::text as cost, sum(token_count)::bigint as token_count
      from daily_costs
     where day >= ${since}::date and kind <> 'idle' and ${countedColumn('model')} = any(${models.map(modelKey)}::text[])
     group by 1
    having bool_or(kind = 'provisioned') and bool_and(cost_pico_usd is not null) and sum(token_count) > 0`.execute(
    database,
  );
  return new Map(
    result.rows.map((row) => [row.model, { costPicoUsd: BigInt(row.cost), tokenCount: row.token_count }]),
  );
}
