import { sql } from 'kysely';
import { type CreepDecision, type CreepPart, decideCreep } from '../../pricing/anomalies/decide-creep.ts';
import { type DayUsage, judgeCreep } from '../../pricing/anomalies/judge-creep.ts';
import { type DayJudgement, judgeDay } from '../../pricing/anomalies/judge-day.ts';
import { RULES } from '../../pricing/anomalies/rules.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { dayBefore, startOfDay } from './days.ts';
import { readChanges } from './parts.ts';

/** Days that a judgement looks at. */
const DAYS = RULES.creepDays + RULES.creepBeforeDays;

/** A customer whose requests cost more from day to day. */
export interface Creep {
  customerId: string;
  decision: CreepDecision;
  day: DayJudgement;
  /** Of the last days. */
  costPicoUsd: bigint;
}

/** Customers whose requests creep up to a whole day, from kept sums of days; who costs too little to matter is not read. */
export async function findCreeps(database: LedgerDatabase, day: string): Promise<Creep[]> {
  const result = await sql<{ customer_id: string; days: string }>`
    select customer_id, string_agg(concat_ws(':', ${day}::date - day, cost_pico_usd, request_count), ' ') as days
    from anomaly_days join anomaly_customers using (customer_id)
    where day <= ${day}::date and day > ${day}::date - ${DAYS}::int and first_hour <= ${startOfDay(dayBefore(day, DAYS - 1))}
    group by 1
    having sum(cost_pico_usd) filter (where day > ${day}::date - ${RULES.creepDays}::int) >= ${String(RULES.materialPicoUsd)}::numeric
    order by 1`.execute(database);
  const found: Creep[] = [];
  for (const row of result.rows) {
    const days = toDays(row.days);
    if (!judgeCreep(days, { hasNewFeature: false }).isCreep) continue;
    const parts = await readCreepParts(database, row.customer_id, day);
    const models = parts.filter(({ dimension, last }) => dimension === 'model' && last.costPicoUsd > 0n);
    const { hasPriceChange } = await readChanges(database, {
      customerId: row.customer_id,
      from: startOfDay(dayBefore(day, DAYS - 1)),
      until: startOfDay(dayBefore(day, -1)),
      models: models.map(({ value }) => value),
    });
    const decision = decideCreep(days, { parts, hasPriceChange });
    if (!decision.isCreep) continue;
    const costs = days.map(({ costPicoUsd }) => costPicoUsd);
    found.push({
      customerId: row.customer_id,
      decision,
      day: judgeDay(costs.at(-1) ?? 0n, costs.slice(-RULES.baselineDays - 1, -1)),
      costPicoUsd: costs.slice(-RULES.creepDays).reduce((sum, cost) => sum + cost, 0n),
    });
  }
  return found;
}

/** In their order; a day without usage is in no row. */
function toDays(text: string): DayUsage[] {
  const days: DayUsage[] = Array.from({ length: DAYS }, () => ({ costPicoUsd: 0n, requestCount: 0n }));
  for (const word of text.split(' ')) {
    const [back = '0', cost = '0', requests = '0'] = word.split(':');
    days[DAYS - 1 - Number(back)] = { costPicoUsd: BigInt(cost), requestCount: BigInt(requests) };
  }
  return days;
}

async function readCreepParts(
  database: LedgerDatabase,
  customerId: string,
  day: string,
): Promise<CreepPart[]> {
  const ofLast = sql`filter (where day > ${day}::date - ${RULES.creepDays}::int)`;
  const ofBefore = sql`filter (where day <= ${day}::date - ${RULES.creepDays}::int)`;
  const result = await sql<{
    dimension: CreepPart['dimension'];
    value: string;
    last_cost: string;
    last_requests: string;
    cost: string;
    requests: string;
    is_new: boolean;
  }>`
    select dimension, value, coalesce(sum(cost_pico_usd) ${ofLast}, 0)::text as last_cost,
      coalesce(sum(request_count) ${ofLast}, 0)::text as last_requests,
      coalesce(sum(cost_pico_usd) ${ofBefore}, 0)::text as cost,
      coalesce(sum(request_count) ${ofBefore}, 0)::text as requests,
      bool_and(day > ${day}::date - ${DAYS - RULES.newDays}::int) as is_new
    from daily_users
    cross join lateral (values ('user', subject), ('feature', feature), ('model', lower(model))) as part(dimension, value)
    where customer_id = ${customerId} and day <= ${day}::date and day > ${day}::date - ${DAYS}::int
    group by 1, 2 order by 1, 2`.execute(database);
  return result.rows.map((row) => ({
    dimension: row.dimension,
    value: row.value,
    last: { costPicoUsd: BigInt(row.last_cost), requestCount: BigInt(row.last_requests) },
    before: { costPicoUsd: BigInt(row.cost), requestCount: BigInt(row.requests) },
    isNew: row.is_new,
  }));
}
