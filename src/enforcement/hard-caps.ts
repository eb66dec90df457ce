import { sql } from 'kysely';
import {
  type CapPrice,
  type HardCap,
  type LeftBudget,
  makeHardCaps,
} from '../../pricing/enforcement/hard-caps.ts';
import { listBudgets } from '../budgets/budgets.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';
import { readOverMonth } from './dry-run.ts';
import { readTenants } from './facts.ts';

/** What gateways count by themselves; money at what tokens cost in the last month that is over. */
export async function readHardCaps(
  database: LedgerDatabase,
  { headroomPercent, now }: { headroomPercent: number; now: Date },
): Promise<{ caps: HardCap[]; left: LeftBudget[]; pricedMonth: TimeWindow }> {
  const pricedMonth = readOverMonth(undefined, now);
  return await readSnapshot(database, async (snapshot) => {
    const budgets = await listBudgets(snapshot);
    const terms = {
      tenantOfCustomer: new Map(
        (await readTenants(snapshot)).map(([tenant, customer]) => [customer, tenant]),
      ),
      prices: await readPrices(snapshot, pricedMonth),
      headroomPercent: BigInt(headroomPercent),
      now,
    };
    return { ...makeHardCaps(budgets, terms), pricedMonth };
  });
}

/** By budget of cost that stops; absent: nothing of it had a price. */
async function readPrices(snapshot: LedgerSnapshot, month: TimeWindow): Promise<Map<string, CapPrice>> {
  const [first, end] = [month.start, month.end].map((at) => at.toISOString().slice(0, 10));
  const { rows } = await sql<{ budgetId: string; cost: string; tokens: string }>`
    with stopping as materialized (
      select budget_id, customer_id, feature, subject from budgets
      where ended_at is null and measure = 'cost' and steps @> '[{"action": "stop"}]'),
    costs as materialized (
      select customer_id, feature, sum(cost_pico_usd) as cost, sum(token_count) as tokens from daily_costs
      where day >= ${first}::date and day < ${end}::date and kind <> 'idle' and cost_pico_usd is not null
        and exists (select from stopping where subject is null) group by 1, 2)
    select budget_id as "budgetId", sum(cost)::text as cost, sum(tokens)::text as tokens
    from stopping join costs on (stopping.customer_id is null or stopping.customer_id = costs.customer_id)
      and (stopping.feature is null or stopping.feature = costs.feature)
    where subject is null group by 1 having sum(tokens) > 0
    union all
    select budget_id, sum(cost_pico_usd)::text, sum(token_count)::text
    from stopping join daily_users as daily using (subject)
    where day >= ${first}::date and day < ${end}::date and cost_pico_usd is not null
    group by 1 having sum(token_count) > 0`.execute(snapshot);
  return new Map(
    rows.map(({ budgetId, cost, tokens }) => [
      budgetId,
      { costPicoUsd: BigInt(cost), tokenCount: BigInt(tokens) },
    ]),
  );
}
