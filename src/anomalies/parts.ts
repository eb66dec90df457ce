import { sql } from 'kysely';
import type { PartUsage } from '../../pricing/anomalies/hour.ts';
import { RULES } from '../../pricing/anomalies/rules.ts';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import { addMs, DAY_MS } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { sumTypedFigures, tokenParts } from '../usage/columns.ts';
import { readEventPrices } from './event-prices.ts';

/** Of the parts of one customer, in one look, more than matter. */
const MOST_PARTS = 2_000;

interface PartRow {
  dimension: PartUsage['dimension'];
  value: string;
  cost: string;
  requests: string;
  tokens: string;
  day_cost: string;
  day_requests: string;
  was_before: boolean;
}

/**
 * Users, features and models of a customer in some hours, beside their mean day of the two weeks before. Asked for those alone
 * whose hour stands out.
 */
export async function readParts(
  database: LedgerDatabase,
  { customerId, hours, book }: { customerId: string; hours: readonly Date[]; book: PriceBook },
): Promise<PartUsage[]> {
  const [first, last] = [hours[0], hours.at(-1)];
  if (first === undefined || last === undefined) return [];
  const starts = sql`any(${hours.map((hour) => hour.toISOString())}::timestamptz[])`;
  const prices = await readEventPrices(database, { hours, customerId, book });
  const day = first.toISOString().slice(0, 10);
  const result = await sql<PartRow>`
    with priced as materialized (${prices}),
    events as materialized (
      select event.window_start, event.subject, event.feature, event.model, event.deployment, event.counted_formerly,
        false as may_disagree, ${sumTypedFigures('event')}, sum(event.request_count) as request_count
      from usage_events as event join subjects using (subject)
      where event.window_start = ${starts} and event.kind = 'usage' and event.status <> 'quarantined'
        and subjects.customer_id = ${customerId}
      group by 1, 2, 3, 4, 5, 6),
    costs as materialized (
      select event.subject, event.feature, lower(event.model) as model, event.request_count,
        (select coalesce(sum(part.tokens * pico_usd), 0) from ${tokenParts('event')}
         left join priced on priced.model = event.model and priced.deployment = event.deployment
           and priced.token_type = part.token_type and event.window_start >= starts_at and event.window_start < ends_at) as cost,
        (select coalesce(sum(part.tokens), 0) from ${tokenParts('event')}) as tokens
      from events as event),
    now as (
      select dimension, value, sum(cost) as cost, sum(request_count) as requests, sum(tokens) as tokens
      from costs cross join lateral (values ('user', subject), ('feature', feature), ('model', model)) as part(dimension, value)
      group by 1, 2),
    before as (
      select dimension, value,
        coalesce(sum(cost_pico_usd) filter (where day >= ${day}::date - 14), 0) / 14 as day_cost,
        coalesce(sum(request_count) filter (where day >= ${day}::date - 14), 0) / 14 as day_requests,
        coalesce(bool_or(day < ${day}::date - ${RULES.newDays}::int), false) as was_before
      from daily_users
      cross join lateral (values ('user', subject), ('feature', feature), ('model', lower(model))) as part(dimension, value)
      where customer_id = ${customerId} and day < ${day}::date
        and day >= ${addMs(first, -(RULES.newDays + 30) * DAY_MS)
          .toISOString()
          .slice(0, 10)}::date
      group by 1, 2)
    select dimension, value, coalesce(cost, 0)::text as cost, coalesce(requests, 0)::text as requests,
      coalesce(tokens, 0)::text as tokens, round(coalesce(day_cost, 0))::text as day_cost,
      round(coalesce(day_requests, 0))::text as day_requests, coalesce(was_before, false) as was_before
    from now full join before using (dimension, value)
    order by coalesce(cost, 0) desc, dimension, value limit ${MOST_PARTS}`.execute(database);
  return result.rows.map((row) => ({
    dimension: row.dimension,
    value: row.value,
    costPicoUsd: BigInt(row.cost),
    requestCount: BigInt(row.requests),
    tokenCount: BigInt(row.tokens),
    usualDayCostPicoUsd: BigInt(row.day_cost),
    usualDayRequestCount: BigInt(row.day_requests),
    isNew: !row.was_before,
  }));
}

/** What changed of a customer's prices shortly before, or in, some hours: ours to pay, and theirs. */
export async function readChanges(
  database: LedgerDatabase,
  {
    customerId,
    from,
    until,
    models,
  }: { customerId: string; from: Date; until: Date; models: readonly string[] },
): Promise<{ hasNewPlan: boolean; hasPriceChange: boolean }> {
  const result = await sql<{ plan: boolean; price: boolean }>`
    select exists (
        select from subscription_items as item
        where item.customer_id = ${customerId} and item.active
          and greatest(item.started_at, item.price_since) >= ${from}
          and greatest(item.started_at, item.price_since) < ${until}) as plan,
      exists (
        select from price_book_rows where superseded_by_change is null and effective_from > ${from}
          and effective_from < ${until} and lower(model) = any(${[...models]}::text[])) as price`.execute(
    database,
  );
  return { hasNewPlan: result.rows[0]?.plan ?? false, hasPriceChange: result.rows[0]?.price ?? false };
}
