-- What others' tools may read: plain names, decimals in units of the currency, nothing else. docs/reporting.md lists it. Columns
-- and views may be added; what is there keeps its name and meaning as long as `reporting.about` says the same version.
create schema reporting;

create view reporting.about as
select 1 as version, 'docs/reporting.md' as documentation;

create view reporting.customers as
select customer_id, name as customer_name, currency, stripe_customer_id, deleted_at from customers;

create view reporting.daily_costs as
select cost.day, cost.kind, cost.customer_id, customers.name as customer_name, cost.model, cost.feature, cost.deployment,
  cost.token_type, cost.token_count, cost.request_count,
  -- Multiplied, and not divided: a quotient is rounded to so many digits.
  cost.cost_pico_usd * 0.000000000001 as cost_usd,
  cost.reason as unpriced_reason,
  case when cost.cost_pico_usd is null then cost.token_count else 0 end as unpriced_token_count,
  case when cost.customer_id is null then cost.token_count else 0 end as unattributed_token_count,
  (cost.token_count * revenue.unit_pico_minor
    + case when cost.is_first and cost.day = revenue.last_day then revenue.remainder_pico_minor else 0 end)
    * case when revenue.currency in ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf',
        'xof', 'xpf') then 0.000000000001
      when revenue.currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 0.000000000000001
      else 0.00000000000001 end as revenue,
  revenue.currency,
  cost.price_reference, cost.price_book_version, cost.rated_at
from daily_costs as cost
left join customers on customers.customer_id = cost.customer_id
left join monthly_revenues as revenue on revenue.customer_id = cost.customer_id
  and revenue.month = date_trunc('month', cost.day::timestamp)::date and revenue.model = cost.model
  and revenue.feature = cost.feature and revenue.token_type = cost.token_type;

create view reporting.daily_users as
select users.day, users.customer_id, customers.name as customer_name, users.subject as user_id, users.model, users.feature,
  users.deployment, users.token_count, users.request_count, users.cost_pico_usd * 0.000000000001 as cost_usd,
  users.reason as unpriced_reason
from daily_users as users left join customers on customers.customer_id = users.customer_id;

create view reporting.daily_usage as
select day, customer_id, customer_name, model, feature, deployment,
  sum(token_count)::bigint as token_count,
  coalesce(sum(token_count) filter (where token_type = 'prompt'), 0)::bigint as prompt_token_count,
  coalesce(sum(token_count) filter (where token_type = 'prompt_cached'), 0)::bigint as prompt_cached_token_count,
  coalesce(sum(token_count) filter (where token_type = 'prompt_audio'), 0)::bigint as prompt_audio_token_count,
  coalesce(sum(token_count) filter (where token_type = 'prompt_image'), 0)::bigint as prompt_image_token_count,
  coalesce(sum(token_count) filter (where token_type = 'prompt_cached_audio'), 0)::bigint as prompt_cached_audio_token_count,
  coalesce(sum(token_count) filter (where token_type = 'prompt_cache_write_5m'), 0)::bigint as prompt_cache_write_5m_token_count,
  coalesce(sum(token_count) filter (where token_type = 'prompt_cache_write_1h'), 0)::bigint as prompt_cache_write_1h_token_count,
  coalesce(sum(token_count) filter (where token_type = 'completion'), 0)::bigint as completion_token_count,
  coalesce(sum(token_count) filter (where token_type = 'completion_audio'), 0)::bigint as completion_audio_token_count,
  coalesce(sum(token_count) filter (where token_type = 'completion_image'), 0)::bigint as completion_image_token_count,
  sum(request_count)::bigint as request_count,
  (select count(distinct users.subject) from daily_users as users
   where users.day = cost.day and users.customer_id = cost.customer_id and users.model = cost.model
     and users.feature = cost.feature and users.deployment = cost.deployment and users.token_count > 0) as active_user_count,
  coalesce(sum(cost_usd) filter (where kind <> 'idle'), 0) as known_cost_usd,
  coalesce(sum(cost_usd) filter (where kind = 'idle'), 0) as overhead_usd,
  sum(unpriced_token_count)::bigint as unpriced_token_count,
  sum(unattributed_token_count)::bigint as unattributed_token_count,
  coalesce(sum(token_count) filter (where customer_id is not null and token_type is not null and revenue is null), 0)::bigint
    as unrated_token_count,
  sum(revenue) as revenue,
  max(currency) as currency
from reporting.daily_costs as cost
group by day, customer_id, customer_name, model, feature, deployment;

create view reporting.monthly_revenues as
select revenue.month, revenue.customer_id, customers.name as customer_name, revenue.model, revenue.feature, revenue.token_type,
  revenue.token_count,
  (revenue.token_count * revenue.unit_pico_minor + revenue.remainder_pico_minor)
    * case when revenue.currency in ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf',
        'xof', 'xpf') then 0.000000000001
      when revenue.currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 0.000000000000001
      else 0.00000000000001 end as revenue,
  revenue.currency,
  not exists (select from monthly_revenues_due as due
    where due.customer_id = revenue.customer_id and due.month = revenue.month) as is_current
from monthly_revenues as revenue join customers using (customer_id);

create view reporting.hourly_usage as
select usage.window_start as hour,
  case when usage.meter_push_id is null and usage.uninvoiced_id is null then subjects.customer_id else usage.customer_id end
    as customer_id,
  usage.subject as user_id, usage.model, usage.feature, usage.deployment, usage.token_type,
  usage.delta_token_count as token_count
from hourly_usage as usage left join subjects on subjects.subject = usage.subject;

create view reporting.invoices as
select invoice_id, number, invoices.customer_id, customers.name as customer_name, status, invoices.currency,
  total_minor * factor as total, credited_minor * factor as credited, period_start, period_end
from invoices join customers using (customer_id)
cross join lateral (select case when invoices.currency in ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf',
    'vnd', 'vuv', 'xaf', 'xof', 'xpf') then 1
  when invoices.currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 0.001 else 0.01 end as factor) as unit;

create view reporting.exchange_rates as
select day, base, currency, rate, source from exchange_rates;

create view reporting.quarantine as
select stage, reason, null::text as metric_name, count(*)::bigint as row_count, sum(token_count)::bigint as token_count
from held_usage_entries where written_off_at is null group by 1, 2
union all
select 'source_item', reason, nullif(metric_name, ''), sum(row_count)::bigint, sum(token_count)::bigint
from held_item_sums where not is_written_off group by 2, 3 having sum(row_count) > 0;

create view reporting.collection as
select source, position as collected_through, updated_at from watermarks where source not like '%:%';

create view reporting.cost_days as
select day, revision, rated_at, token_count, known_cost_pico_usd * 0.000000000001 as known_cost_usd,
  unknown_token_count as unpriced_token_count, exists (select from cost_days_due as due where due.day = cost_days.day) as is_due
from cost_days where revision > 0;
