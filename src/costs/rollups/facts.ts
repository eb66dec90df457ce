import { type RawBuilder, sql } from 'kysely';
import { minorUnitDigits } from '../../../pricing/money.ts';
import { modelKey, nameKey } from '../../../pricing/usage/names.ts';
import type { TimeWindow } from '../../platform/clock.ts';
import { holding } from '../../platform/database/like-pattern.ts';
import { countedColumn } from '../../usage/name-keys.ts';
import { daysOf } from '../notes.ts';
import { UNTOLD_WRITES } from '../queries.ts';
import type { RollupDimension, RollupFilter, RollupScope } from './query.ts';

type Part = RawBuilder<unknown>;

const COLUMNS: Record<RollupDimension, RawBuilder<string>> = {
  day: sql<string>`day::text`,
  month: sql<string>`to_char(day, 'YYYY-MM')`,
  customer: sql<string>`coalesce(customer_id, '')`,
  model: countedColumn('model'),
  feature: sql<string>`feature`,
  deployment: countedColumn('deployment'),
  user: sql<string>`subject`,
};

/** Values of the dimensions, as one array: what rows are grouped by, and joined by. */
export function dimensionsOf(groupBy: readonly RollupDimension[]): RawBuilder<string[]> {
  return sql<string[]>`array[${sql.join(groupBy.map((name) => COLUMNS[name]))}]::text[]`;
}

/** That rows come after one, in the order of the dimensions as bytes. */
export function afterRow(groupBy: readonly RollupDimension[], after: readonly string[] | null): Part {
  if (after === null || groupBy.length === 0) return sql`true`;
  const keys = groupBy.map((name) => sql`(${COLUMNS[name]}) collate "C"`);
  return sql`(${sql.join(keys)}) > (${sql.join(after.map((value) => sql`${value} collate "C"`))})`;
}

export function conditionsOf(window: TimeWindow, filter: RollupFilter): RawBuilder<boolean> {
  const { customerId, customerIds, model, feature, deployment, user, holding: part } = filter;
  const conditions: Part[] = [daysOf(window)];
  if (customerId === null) conditions.push(sql`customer_id is null`);
  else if (customerId !== undefined) conditions.push(sql`customer_id = ${customerId}`);
  if (customerIds !== undefined)
    conditions.push(sql`coalesce(customer_id, '') = any(${[...customerIds]}::text[])`);
  if (model !== undefined) conditions.push(sql`${COLUMNS.model} = ${modelKey(model)}`);
  if (feature !== undefined) conditions.push(sql`feature = ${feature}`);
  if (deployment !== undefined) conditions.push(sql`${COLUMNS.deployment} = ${nameKey(deployment)}`);
  if (user !== undefined) conditions.push(sql`subject = ${user}`);
  if (part !== undefined) conditions.push(sql`${COLUMNS[part.dimension]} ilike ${holding(part.text)}`);
  return sql<boolean>`${sql.join(conditions, sql` and `)}`;
}

/** Whether only the table by user can tell. */
function isByUser(groupBy: readonly RollupDimension[], filter: RollupFilter): boolean {
  return groupBy.includes('user') || filter.user !== undefined || filter.holding?.dimension === 'user';
}

/** Capacity that nobody is charged for has a deployment and a day, and is nobody's. */
function hasIdle(groupBy: readonly RollupDimension[], filter: RollupFilter): boolean {
  const { deployment: _, ...others } = filter;
  return (
    groupBy.every((name) => name === 'day' || name === 'month' || name === 'deployment') &&
    Object.values(others).every((value) => value === undefined)
  );
}

/** The table that knows the cost, for statements that need nothing else. */
export function costTable(groupBy: readonly RollupDimension[], filter: RollupFilter): Part {
  if (isByUser(groupBy, filter)) return sql`(select *, 'tokens' as kind from daily_users) as daily`;
  return hasIdle(groupBy, filter)
    ? sql`daily_costs as daily`
    : sql`(select * from daily_costs where kind <> 'idle') as daily`;
}

/** Where the values of a dimension are read from: what is grouped by it needs no other column. */
const SOURCES: Record<Exclude<RollupDimension, 'month' | 'user'>, Part> = {
  day: sql`day`,
  customer: sql`customer_id`,
  model: sql`model`,
  feature: sql`feature`,
  deployment: sql`deployment`,
};

/**
 * What usage cost alone, summed by the columns of some dimensions as they are told: names get their key from the few rows that are
 * left. Without users, whom another table knows.
 */
export function costsByKey(
  groupBy: readonly Exclude<RollupDimension, 'month' | 'user'>[],
  filter: RollupFilter,
  within: RawBuilder<boolean>,
): Part {
  const columns = sql.join(groupBy.map((name) => SOURCES[name]));
  const of = (kind: string) => sql`coalesce(sum(cost_pico_usd) filter (where kind = ${sql.lit(kind)}), 0)`;
  return sql`
    select ${columns}, sum(token_count) as tokens, coalesce(sum(token_count) filter (where reason is not null), 0) as unpriced,
      sum(request_count) as requests, ${of('tokens')} as token_cost, ${of('provisioned')} as provisioned_cost, ${of('idle')} as idle_cost
    from daily_costs where ${hasIdle(groupBy, filter) ? sql`true` : sql`kind <> 'idle'`} and ${within} group by ${columns}`;
}

/** A token type's share of a row by user stands beside the row's cost, which is told once. */
const BY_USER = sql`(
  select day, customer_id, subject, model, feature, deployment, type.token_type, type.token_count,
    coalesce(reason, case when is_cost_partial then 'cache_writes_not_told' end) as reason, reason is not null as is_unknown,
    type.token_type = any(first_token_types) as is_first,
    case when type.place = 1 then cost_pico_usd - provisioned_cost_pico_usd else 0 end as token_cost,
    case when type.place = 1 then provisioned_cost_pico_usd else 0 end as provisioned_cost, 0::numeric as idle_cost,
    null::numeric as least_cost, null::numeric as most_cost,
    case when type.place = 1 then request_count else 0 end as request_count
  from daily_users
  left join lateral unnest(coalesce(nullif(token_types, '{}'), array[null]::text[]),
      coalesce(nullif(token_counts, '{}'), array[0]::bigint[]))
    with ordinality as type(token_type, token_count, place) on true)`;

const BY_KEY = (withIdle: boolean) => sql`(
  select day, customer_id, ''::text as subject, model, feature, deployment, token_type, token_count,
    coalesce(reason, ${UNTOLD_WRITES}) as reason, reason is not null as is_unknown, is_first,
    case when kind = 'tokens' then cost_pico_usd else 0 end as token_cost,
    case when kind = 'provisioned' then cost_pico_usd else 0 end as provisioned_cost,
    case when kind = 'idle' then cost_pico_usd else 0 end as idle_cost,
    least_cost_pico_usd as least_cost, most_cost_pico_usd as most_cost, request_count
  from daily_costs where ${withIdle ? sql`true` : sql`kind <> 'idle'`})`;

/**
 * Named `parts` and `rated`: sums of the scope by dimensions, customer, month and kind of tokens, and the same with what they
 * bring. A group that holds the first row of a kind's last day holds what the month's average leaves.
 */
export function ratedParts(
  scope: RollupScope,
  groupBy: readonly RollupDimension[],
  after: readonly string[] | null,
): Part {
  const { window, filter } = scope;
  const facts = isByUser(groupBy, filter) ? BY_USER : BY_KEY(hasIdle(groupBy, filter));
  return sql`
    parts as materialized (
      select ${dimensionsOf(groupBy)} as dimensions, customer_id, date_trunc('month', day::timestamp)::date as month, model,
        feature, token_type, reason, is_unknown, sum(token_count) as tokens, sum(token_cost) as token_cost,
        sum(provisioned_cost) as provisioned_cost, sum(idle_cost) as idle_cost, sum(request_count) as requests,
        case when bool_and(least_cost is not null) then sum(least_cost) end as least_cost,
        case when bool_and(most_cost is not null) then sum(most_cost) end as most_cost,
        max(day) filter (where is_first) as first_day
      from ${facts} as fact
      where ${conditionsOf(window, filter)} and ${afterRow(groupBy, after)}
      group by 1, 2, 3, 4, 5, 6, 7, 8),
    rated as materialized (
      select parts.*, coalesce(revenue.currency, 'usd') as currency, token_cost + provisioned_cost as cost,
        parts.customer_id is not null and revenue.unit_pico_minor is null as is_unrated,
        tokens * revenue.unit_pico_minor as exact_revenue,
        tokens * revenue.unit_pico_minor
          + case when first_day >= revenue.last_day then revenue.remainder_pico_minor else 0 end as revenue
      from parts left join monthly_revenues as revenue on revenue.customer_id = parts.customer_id
        and revenue.month = parts.month and revenue.model = parts.model and revenue.feature = parts.feature
        and revenue.token_type = parts.token_type)`;
}

/** Named `rates`: what a pico of each currency's minor unit is in pico-USD, as a fraction; currencies without are not in it. */
export function ratesOf({ conversions }: RollupScope): Part {
  const rates = [
    { currency: 'usd', numerator: 1n, denominator: 10n ** BigInt(minorUnitDigits('usd')) },
    ...[...conversions].flatMap(([currency, conversion]) =>
      typeof conversion === 'string'
        ? []
        : [
            {
              currency,
              numerator: conversion.denominator,
              denominator: conversion.numerator * 10n ** BigInt(minorUnitDigits(currency)),
            },
          ],
    ),
  ];
  return sql`
    rates as materialized (
      select * from unnest(${rates.map((rate) => rate.currency)}::text[],
        ${rates.map((rate) => String(rate.numerator))}::numeric[],
        ${rates.map((rate) => String(rate.denominator))}::numeric[]) as rate(currency, numerator, denominator))`;
}
