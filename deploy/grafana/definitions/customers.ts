import { choiceVariable, dashboard, type Section } from './frame.ts';
import { COUNT, figures, lines, SHARE, stackedBars, table, USD } from './panels.ts';
import { rowsOf, seriesOf } from './queries.ts';
import { FIRST_DAY, IN_RANGE, LAST_DAY, NAMES, RATES, stackOf, TIME } from './sql-parts.ts';

const CUSTOMER = `\${customer:sqlstring}`;
const CUSTOMER_PAGE = `/console/customers/\${__data.fields.customer_id:percentencode}`;

/** Of the range as a whole. */
const SUMS = `select coalesce(sum(cost_usd) filter (where kind <> 'idle'), 0) as cost_usd,
  coalesce(sum(cost_usd) filter (where kind = 'idle'), 0) as overhead_usd,
  coalesce(sum(token_count), 0)::bigint as token_count, coalesce(sum(request_count), 0)::bigint as request_count,
  (select count(*) from (
    select user_id from reporting.daily_users where ${IN_RANGE} and customer_id is not null
    group by 1 having sum(token_count) > 0) as users) as active_user_count,
  coalesce(sum(unpriced_token_count), 0)::bigint as unpriced_token_count,
  coalesce(sum(unattributed_token_count), 0)::bigint as unattributed_token_count
from reporting.daily_costs where ${IN_RANGE}`;

const DAILY_COST = `with ${NAMES},
${stackOf(`
  select day, case when kind = 'idle' then '(idle capacity)' when customer_id is null then '(nobody)'
      else coalesce(name, customer_id) end as part,
    kind = 'idle' or customer_id is null as is_apart, cost_usd
  from reporting.daily_costs left join names using (customer_id) where ${IN_RANGE}`)}`;

/**
 * One row a customer. Trends are of the seven days up to the last one of the range that has usage, against the seven before. A
 * margin is told where cost and revenue of at least 95 % of the tokens are known, and is of those tokens.
 */
const RANKED = `with ${NAMES}, ${RATES},
last as (select max(day) as last_day from reporting.cost_days where ${IN_RANGE} and token_count > 0),
facts as (
  select customer_id, day, feature, token_count, cost_usd, revenue * usd as revenue_usd,
    day between ${FIRST_DAY} and ${LAST_DAY} as is_in_range
  from reporting.daily_costs left join rates using (currency)
  where kind <> 'idle' and customer_id is not null and day <= ${LAST_DAY}
    and day >= least(${FIRST_DAY}, (select last_day from last) - 13)),
sums as (
  select customer_id, coalesce(sum(cost_usd) filter (where is_in_range), 0) as cost_usd,
    coalesce(sum(cost_usd) filter (where facts.day = last_day), 0) as last_day_usd,
    coalesce(sum(cost_usd) filter (where facts.day > last_day - 7), 0) as week_usd,
    coalesce(sum(cost_usd) filter (where facts.day > last_day - 14 and facts.day <= last_day - 7), 0) as week_before_usd,
    coalesce(sum(token_count) filter (where is_in_range), 0) as token_count,
    coalesce(sum(token_count) filter (where is_in_range and cost_usd is null), 0)::bigint as unpriced_token_count,
    sum(revenue_usd) filter (where is_in_range) as revenue_usd,
    sum(revenue_usd) filter (where is_in_range and cost_usd is not null) as judged_revenue_usd,
    sum(cost_usd) filter (where is_in_range and revenue_usd is not null) as judged_cost_usd,
    coalesce(sum(token_count) filter (where is_in_range and cost_usd is not null and revenue_usd is not null), 0) as judged_count
  from facts cross join last group by 1),
trends as (
  select customer_id, string_agg(case when cost_usd <= 0 then '·'
      else substr('▁▂▃▄▅▆▇█', 1 + floor(7 * cost_usd / highest)::int, 1) end, '' order by day) as trend
  from (
    select customer_id, days.day::date as day, coalesce(sum(facts.cost_usd), 0) as cost_usd,
      max(coalesce(sum(facts.cost_usd), 0)) over (partition by customer_id) as highest
    from last cross join generate_series(last_day - 6, last_day, interval '1 day') as days (day)
    cross join (select distinct customer_id from facts) as customers
    left join facts using (customer_id, day) group by 1, 2) as week
  group by 1),
mixes as (
  select customer_id, string_agg(format('%s %s %%', feature, round(100 * share)), ', ' order by place) as features
  from (
    select customer_id, coalesce(nullif(left(feature, 40), ''), 'no feature') as feature,
      sum(cost_usd) / nullif(sum(sum(cost_usd)) over (partition by customer_id), 0) as share,
      row_number() over (partition by customer_id order by sum(cost_usd) desc nulls last, left(feature, 40)) as place
    from facts where is_in_range group by customer_id, left(feature, 40)) as shares
  where place <= 3 and share > 0 group by 1)
select row_number() over (order by cost_usd desc, customer_id) as rank, coalesce(name, customer_id) as customer, customer_id,
  last_day_usd, trend, (week_usd - week_before_usd) / nullif(week_before_usd, 0) as week_change, cost_usd,
  token_count / nullif(sum(token_count) over (), 0) as token_share,
  revenue_usd / nullif(sum(revenue_usd) over (), 0) as revenue_share, revenue_usd,
  case when judged_count >= 0.95 * token_count
    then (judged_revenue_usd - judged_cost_usd) / nullif(judged_revenue_usd, 0) end as margin_share,
  features, unpriced_token_count
from sums left join names using (customer_id) left join trends using (customer_id) left join mixes using (customer_id)
where token_count > 0 or cost_usd > 0
order by 1`;

const COST_AND_REVENUE = `with ${RATES}
select ${TIME}, coalesce(sum(cost_usd), 0) as "Cost", sum(revenue * usd) as "Revenue"
from reporting.daily_costs left join rates using (currency)
where ${IN_RANGE} and customer_id = ${CUSTOMER} group by day order by 1`;

const partsOfCustomer = (column: 'feature' | 'model' | 'deployment') =>
  `
select coalesce(nullif(${column}, ''), '(none)') as ${column}, sum(known_cost_usd) as cost_usd,
  sum(token_count)::bigint as token_count, sum(request_count)::bigint as request_count,
  sum(unpriced_token_count)::bigint as unpriced_token_count
from reporting.daily_usage where ${IN_RANGE} and customer_id = ${CUSTOMER} group by 1 order by 2 desc, 1`.trim();

const USERS = `select user_id, sum(cost_usd) as cost_usd, sum(token_count)::bigint as token_count,
  sum(request_count)::bigint as request_count, max(day) filter (where token_count > 0)::text as last_day
from reporting.daily_users where ${IN_RANGE} and customer_id = ${CUSTOMER}
group by 1 order by 2 desc nulls last, 1 limit 100`;

const PART_FIELDS = [
  { name: 'cost_usd', title: 'Cost', ...USD },
  { name: 'token_count', title: 'Tokens', ...COUNT },
  { name: 'request_count', title: 'Requests', ...COUNT },
];
const UNPRICED = { name: 'unpriced_token_count', title: 'Tokens without a cost', ...COUNT, warnFrom: 1 };

const ALL: Section = {
  panels: [
    figures(
      {
        title: 'All customers',
        description:
          'Costs in US dollars, as far as prices are known. Idle capacity is what nobody used of what was bought. Users are counted once.',
      },
      rowsOf(SUMS),
      [
        { name: 'cost_usd', title: 'Cost', ...USD },
        { name: 'overhead_usd', title: 'Idle capacity', ...USD },
        { name: 'token_count', title: 'Tokens', unit: 'short', decimals: 1 },
        { name: 'request_count', title: 'Requests', unit: 'short', decimals: 1 },
        { name: 'active_user_count', title: 'Active users', ...COUNT },
        {
          name: 'unpriced_token_count',
          title: 'Tokens without a cost',
          unit: 'short',
          decimals: 1,
          warnFrom: 1,
        },
        {
          name: 'unattributed_token_count',
          title: 'Tokens of nobody',
          unit: 'short',
          decimals: 1,
          warnFrom: 1,
        },
      ],
    ),
    stackedBars(
      {
        title: 'Cost by day',
        description:
          'The ten customers that cost the most in the range, and the others as one. Days are UTC days; the last one may still grow.',
        ...USD,
      },
      seriesOf(DAILY_COST),
    ),
    table(
      {
        title: 'Customers',
        description:
          'Trend: the last seven days with usage, change against the seven before. Revenue is converted to US dollars by the newest published rates. A margin is left out where cost or revenue of more than 5 % of the tokens is unknown.',
        height: 14,
      },
      rowsOf(RANKED),
      [
        { name: 'rank', title: '#', unit: 'none', decimals: 0, width: 50 },
        { name: 'customer', title: 'Customer', leadsTo: CUSTOMER_PAGE },
        { name: 'customer_id', title: 'Customer id', isHidden: true },
        { name: 'last_day_usd', title: 'Cost of the last day', ...USD },
        { name: 'trend', title: '7 days', width: 90 },
        { name: 'week_change', title: 'Change in 7 days', ...SHARE, warnFrom: 0.5 },
        { name: 'cost_usd', title: 'Cost', ...USD },
        { name: 'token_share', title: 'Share of tokens', ...SHARE },
        { name: 'revenue_share', title: 'Share of revenue', ...SHARE },
        { name: 'revenue_usd', title: 'Revenue', ...USD },
        { name: 'margin_share', title: 'Margin', ...SHARE, warnBelow: 0 },
        { name: 'features', title: 'Features by cost' },
        UNPRICED,
      ],
    ),
  ],
};

const ONE: Section = {
  title: 'One customer',
  panels: [
    lines(
      {
        title: 'Cost and revenue by day',
        description:
          'Of the customer chosen above, in US dollars. Revenue is missing where no rate names the tokens or no exchange rate is known.',
        ...USD,
      },
      seriesOf(COST_AND_REVENUE),
    ),
    table(
      {
        title: 'By feature',
        description: 'Of the customer chosen above, in US dollars; cost as far as prices are known.',
        width: 12,
      },
      rowsOf(partsOfCustomer('feature')),
      [
        {
          name: 'feature',
          title: 'Feature',
          leadsTo: '/console/features?feature=${__data.fields.feature:percentencode}',
        },
        ...PART_FIELDS,
        UNPRICED,
      ],
    ),
    table(
      {
        title: 'By model',
        description: 'Of the customer chosen above, in US dollars; cost as far as prices are known.',
        width: 12,
      },
      rowsOf(partsOfCustomer('model')),
      [{ name: 'model', title: 'Model', leadsTo: '/console/models' }, ...PART_FIELDS, UNPRICED],
    ),
    table(
      {
        title: 'By deployment',
        description: 'Of the customer chosen above, in US dollars; shares of bought capacity included.',
        width: 12,
      },
      rowsOf(partsOfCustomer('deployment')),
      [{ name: 'deployment', title: 'Deployment', leadsTo: '/console/models' }, ...PART_FIELDS, UNPRICED],
    ),
    table(
      {
        title: 'Users',
        description:
          'The hundred that cost the most of the customer chosen above, by the ids that the gateway told.',
        width: 12,
      },
      rowsOf(USERS),
      [{ name: 'user_id', title: 'User' }, ...PART_FIELDS, { name: 'last_day', title: 'Last seen' }],
    ),
  ],
};

export const CUSTOMERS = dashboard(
  {
    uid: 'tallystick-customers',
    title: 'Tallystick: customers',
    description:
      'What each customer costs and brings. For people of the house: it shows all customers beside one another.',
    consolePath: '/console/customers',
    variables: [
      choiceVariable(
        'customer',
        'Customer',
        `with ${NAMES} select name as __text, customer_id as __value from names order by 1`,
      ),
    ],
  },
  [ALL, ONE],
);
