/**
 * Parts of the queries over the schema `reporting`. Days are UTC days, a range's first and last one included; dollars are exact
 * decimals. Macros and variables are Grafana's: values of variables are always asked for as `sqlstring`, quoted and escaped.
 */

export const FIRST_DAY = `($__timeFrom()::timestamptz at time zone 'UTC')::date`;
export const LAST_DAY = `($__timeTo()::timestamptz at time zone 'UTC')::date`;
export const IN_RANGE = `day between ${FIRST_DAY} and ${LAST_DAY}`;
/** A day as the instant that a time axis wants. */
export const TIME = `day::timestamp at time zone 'UTC' as "time"`;
/** Rows of a chart beyond these are drawn as one. */
export const DRAWN_COUNT = 10;

/** What customers are called: two of one name are told apart by their ids. */
export const NAMES = `names as (
  select customer_id, left(name, 60) || case when count(*) over (partition by left(name, 60)) > 1
    then ' (' || customer_id || ')' else '' end as name
  from (select customer_id, coalesce(nullif(customer_name, ''), customer_id) as name from reporting.customers) as named)`;

/**
 * Dollars of one unit of each currency, by the newest rates of at most ten days before the range's last day: the rule of the
 * console and the API.
 */
export const RATES = `rates as (
  select distinct on (currency) currency, usd from (
    select day, currency, 1 / rate as usd from reporting.exchange_rates where base = 'usd'
    union all select day, base, rate from reporting.exchange_rates where currency = 'usd'
    union all
    select one.day, one.currency, dollar.rate / one.rate
    from reporting.exchange_rates as one join reporting.exchange_rates as dollar using (day, base, source)
    where dollar.currency = 'usd' and one.currency <> 'usd'
    union all select ${LAST_DAY}, 'usd', 1) as published
  where day between ${LAST_DAY} - 10 and ${LAST_DAY} order by currency, day desc)`;

/** Cost of a chart's parts by day, the largest of them by name and the rest as one. */
export function stackOf(parts: string): string {
  return `parts as (${parts}),
ranked as (
  select part, is_apart, row_number() over (partition by is_apart order by coalesce(sum(cost_usd), 0) desc, part) as place
  from parts group by 1, 2)
select ${TIME}, case when is_apart or place <= ${DRAWN_COUNT} then part else '(others)' end as metric,
  coalesce(sum(cost_usd), 0) as cost_usd
from parts join ranked using (part, is_apart)
group by 1, 2
order by 1, min(case when is_apart then 1000 else place end), 2`;
}
