import { type RawBuilder, sql } from 'kysely';
import type { TimeWindow } from '../platform/clock.ts';
import { keyColumns, sameKey } from '../usage/columns.ts';
import { countedColumn } from '../usage/name-keys.ts';
import { CUSTOMER_OF_COST } from './customers.ts';
import type { AllocatedCost, RatedDay } from './rated-day.ts';

/** Parts of the one statement that writes a day: `hours`, `used`, `requested`, `allocated`; then `costs`; then `users`. */
type Part = RawBuilder<unknown>;

/** Nobody's usage is a group like any other. */
const OWNER = sql`coalesce(customer_id, '')`;

/** The day's usage with the price of each hour, its requests, and what was worked out outside the database. */
export function dayUsage({ start, end }: TimeWindow, { segments, provisioned, allocated }: RatedDay): Part {
  const column = <Value>(pick: (cost: AllocatedCost) => Value) => allocated.map(pick);
  return sql`
    priced as materialized (
      select * from unnest(${segments.map((segment) => segment.model)}::text[],
        ${segments.map((segment) => segment.deployment)}::text[],
        ${segments.map((segment) => segment.tokenType)}::text[],
        ${segments.map((segment) => segment.start.toISOString())}::timestamptz[],
        ${segments.map((segment) => segment.end.toISOString())}::timestamptz[],
        ${segments.map((segment) => segment.picoUsdPerToken?.toString() ?? null)}::numeric[],
        ${segments.map(({ between }) => between?.leastPicoUsdPerToken.toString() ?? null)}::numeric[],
        ${segments.map(({ between }) => between?.mostPicoUsdPerToken.toString() ?? null)}::numeric[],
        ${segments.map((segment) => segment.reason)}::text[],
        ${segments.map((segment) => segment.reference)}::text[],
        ${segments.map((segment) => segment.notes.join(' '))}::text[])
        as price(model, deployment, token_type, starts_at, ends_at, pico_usd, least_pico_usd, most_pico_usd, reason, reference, notes)),
    bought as materialized (
      select * from unnest(${provisioned.map((hours) => hours.deployment)}::text[],
        ${provisioned.map((hours) => hours.start.toISOString())}::timestamptz[],
        ${provisioned.map((hours) => hours.end.toISOString())}::timestamptz[]) as bought(deployment, starts_at, ends_at)),
    hours as materialized (
      select usage.hourly_usage_id, usage.window_start, ${keyColumns('usage')}, usage.token_type,
        usage.delta_token_count as token_count, ${CUSTOMER_OF_COST} as customer_id
      from hourly_usage as usage
      left join subjects on subjects.subject = usage.subject
      where usage.window_start >= ${start} and usage.window_start < ${end}),
    used as materialized (
      select customer_id, usage.subject, ${countedColumn('model', 'usage')} as model, usage.feature,
        ${countedColumn('deployment', 'usage')} as deployment, usage.token_type, times.is_bought,
        price.pico_usd, price.least_pico_usd, price.most_pico_usd, price.reason, price.reference, price.notes,
        sum(usage.token_count) as token_count
      from hours as usage
      cross join lateral (select exists (select 1 from bought
        where bought.deployment = ${countedColumn('deployment', 'usage')}
          and usage.window_start >= bought.starts_at and usage.window_start < bought.ends_at) as is_bought) as times
      left join priced as price on not times.is_bought and price.model = usage.model and price.deployment = usage.deployment
        and price.token_type = usage.token_type
        and usage.window_start >= price.starts_at and usage.window_start < price.ends_at
      group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13),
    requested as materialized (
      select customer_id, subject, model, feature, deployment, sum(request_count) as request_count
      from (
        select case when usage.hourly_usage_id is null then subjects.customer_id else usage.customer_id end as customer_id,
          activity.subject, ${countedColumn('model', 'activity')} as model, activity.feature,
          ${countedColumn('deployment', 'activity')} as deployment, activity.request_count
        from hourly_activity as activity
        left join subjects on subjects.subject = activity.subject
        -- Whose the newest row of the same hour and key is.
        left join (
          select distinct on (window_start, ${keyColumns()}) * from hours
          order by window_start, ${keyColumns()}, hourly_usage_id desc) as usage
          on usage.window_start = activity.window_start and ${sameKey('usage', 'activity')}
        where activity.window_start >= ${start} and activity.window_start < ${end} and activity.request_count <> 0) as told
      group by 1, 2, 3, 4, 5),
    allocated as materialized (
      select kind, customer_id, model, feature, deployment, token_type, token_count, cost_pico_usd, reference, notes
      from unnest(${column((cost) => cost.kind)}::text[], ${column((cost) => cost.customerId)}::text[],
        ${column((cost) => cost.model)}::text[], ${column((cost) => cost.feature)}::text[],
        ${column((cost) => cost.deployment)}::text[], ${column((cost) => cost.tokenType)}::text[],
        ${column((cost) => String(cost.tokenCount))}::bigint[], ${column((cost) => String(cost.costPicoUsd))}::numeric[],
        ${column((cost) => cost.reference)}::text[], ${column((cost) => cost.notes.join(' '))}::text[])
        as cost(kind, customer_id, model, feature, deployment, token_type, token_count, cost_pico_usd, reference, notes))`;
}

/** By key. Requests are counted with the first row of each key; those of a key without tokens have a row of their own. */
export function dayCosts(): Part {
  return sql`
    rows as (
      select 'tokens' as kind, customer_id, model, feature, deployment, token_type, sum(token_count)::bigint as token_count,
        sum(token_count) * pico_usd as cost_pico_usd, sum(token_count) * least_pico_usd as least_cost_pico_usd,
        sum(token_count) * most_pico_usd as most_cost_pico_usd, reason, reference, notes, 0 as request_count
      from used where not is_bought
      group by customer_id, model, feature, deployment, token_type, pico_usd, least_pico_usd, most_pico_usd, reason, reference, notes
      having sum(token_count) <> 0
      union all
      select kind, customer_id, model, feature, deployment, token_type, token_count, cost_pico_usd, null, null, null, reference, notes, 0
      from allocated
      union all
      select 'requests', customer_id, model, feature, deployment, null, 0, 0, null, null, null, null, null, sum(request_count)
      from requested group by customer_id, model, feature, deployment),
    placed as (
      select *,
        row_number() over (partition by ${OWNER}, model, feature, token_type order by deployment, kind, reference) as place,
        row_number() over key_rows as key_place, count(*) over whole_key as key_row_count,
        sum(request_count) over whole_key as key_request_count
      from rows
      window whole_key as (partition by ${OWNER}, model, feature, deployment, kind = 'idle'),
        key_rows as (partition by ${OWNER}, model, feature, deployment, kind = 'idle'
          order by kind = 'requests', token_type, kind, reference)),
    costs as (
      select kind, customer_id, model, feature, deployment, token_type, token_count, cost_pico_usd, least_cost_pico_usd,
        most_cost_pico_usd, reason, reference,
        coalesce(string_to_array(nullif(notes, ''), ' '), '{}') as notes,
        case when key_place = 1 then key_request_count else 0 end as request_count,
        token_type is not null and place = 1 as is_first
      from placed where kind <> 'requests' or key_row_count = 1)`;
}

/**
 * By user. A share of capacity is divided among the users of its key by their tokens, so that they sum up to it; what has a cost
 * and what has none are rows of their own.
 */
export function dayUsers(): Part {
  return sql`
    shares as (
      select ${OWNER} as owner, model, feature, deployment, token_type, sum(cost_pico_usd) as cost
      from allocated where kind = 'provisioned' group by 1, 2, 3, 4, 5),
    bought_by as (
      select *, sum(token_count) over subjects as upto, sum(token_count) over everyone as whole,
        row_number() over subjects = 1 as is_alone
      from (select ${OWNER} as owner, customer_id, subject, model, feature, deployment, token_type,
              sum(token_count) as token_count
            from used where is_bought group by 1, 2, 3, 4, 5, 6, 7) as usage
      window everyone as (partition by owner, model, feature, deployment, token_type),
        subjects as (partition by owner, model, feature, deployment, token_type order by subject)),
    kinds as (
      select customer_id, subject, model, feature, deployment, token_type, reason, sum(token_count) as token_count,
        sum(token_count * pico_usd) as cost, 0::numeric as provisioned_cost,
        coalesce(bool_or('cache_writes_not_told' = any(string_to_array(notes, ' '))), false) as is_partial
      from used where not is_bought group by 1, 2, 3, 4, 5, 6, 7
      union all
      select customer_id, subject, model, feature, deployment, token_type, null, token_count, 0,
        coalesce(case when whole = 0 then case when is_alone then shares.cost end
          else div(shares.cost * upto, whole) - div(shares.cost * (upto - token_count), whole) end, 0), false
      from bought_by left join shares using (owner, model, feature, deployment, token_type)),
    known as (
      select customer_id, subject, model, feature, deployment, token_type, reason, sum(token_count) as token_count,
        sum(cost) as cost, sum(provisioned_cost) as provisioned_cost, bool_or(is_partial) as is_partial
      from kinds group by 1, 2, 3, 4, 5, 6, 7),
    ranked as (
      select *, row_number() over (partition by ${OWNER}, model, feature, token_type
        order by token_count = 0, deployment, subject, reason nulls first) = 1 as is_first
      from known where token_count <> 0 or cost <> 0 or provisioned_cost <> 0
      union all
      select customer_id, subject, model, feature, deployment, null, null, null, 0, 0, false, false from requested),
    by_user as (
      select customer_id, subject, model, feature, deployment, reason, coalesce(sum(token_count), 0)::bigint as token_count,
        coalesce(array_agg(token_type order by token_type) filter (where token_type is not null), '{}') as token_types,
        coalesce(array_agg(token_count::bigint order by token_type) filter (where token_type is not null), '{}') as token_counts,
        coalesce(array_agg(token_type order by token_type) filter (where is_first), '{}') as first_token_types,
        case when reason is null then sum(cost) + sum(provisioned_cost) end as cost_pico_usd,
        sum(provisioned_cost) as provisioned_cost_pico_usd, bool_or(is_partial) as is_cost_partial
      from ranked group by 1, 2, 3, 4, 5, 6),
    users as (
      select by_user.*, coalesce(case when row_number() over (partition by coalesce(by_user.customer_id, ''), by_user.subject,
        by_user.model, by_user.feature, by_user.deployment order by reason nulls first) = 1 then requested.request_count end, 0) as request_count
      from by_user left join requested on requested.subject = by_user.subject and requested.model = by_user.model
        and requested.feature = by_user.feature and requested.deployment = by_user.deployment
        and requested.customer_id is not distinct from by_user.customer_id)`;
}
