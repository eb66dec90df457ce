import { dashboard } from './frame.ts';
import { COUNT, figures, lines, SMALL_USD, stackedBars, TIMES, table, USD } from './panels.ts';
import { rowsOf, seriesOf } from './queries.ts';
import { DRAWN_COUNT, IN_RANGE, stackOf, TIME } from './sql-parts.ts';

/** Capacity that nobody used is no feature's. */
const USED = `${IN_RANGE} and kind <> 'idle'`;

/** Cost, requests and users of each feature; users' own costs spread as the two percentiles say. */
const FEATURES = `costs as (
  select feature, coalesce(sum(cost_usd), 0) as cost_usd, sum(token_count)::bigint as token_count,
    sum(request_count)::bigint as request_count, sum(unpriced_token_count)::bigint as unpriced_token_count,
    count(distinct customer_id) filter (where token_count > 0) as customer_count
  from reporting.daily_costs where ${USED} group by 1),
users as (
  select feature, count(*) as active_user_count, percentile_cont(0.5) within group (order by cost_usd) as median_user_usd,
    percentile_cont(0.9) within group (order by cost_usd) as dear_user_usd
  from (
    select feature, user_id, sum(cost_usd) as cost_usd from reporting.daily_users
    where ${IN_RANGE} and customer_id is not null group by 1, 2 having sum(token_count) > 0) as each_user
  group by 1)`;

const SUMS = `with ${FEATURES}
select count(*) as feature_count, coalesce(sum(cost_usd), 0) as cost_usd,
  coalesce(sum(request_count), 0)::bigint as request_count,
  sum(cost_usd) / nullif(sum(request_count), 0) as request_usd,
  coalesce(sum(unpriced_token_count), 0)::bigint as unpriced_token_count
from costs`;

const DAILY_COST = `with ${stackOf(`
  select day, coalesce(nullif(left(feature, 60), ''), '(no feature)') as part, false as is_apart, cost_usd
  from reporting.daily_costs where ${USED}`)}`;

/** Beside what the middle one of the others costs a request: those whose cost is known of at least 95 % of their tokens. */
const COMPARED = `with ${FEATURES},
units as (
  select feature, cost_usd / request_count as request_usd from costs
  where request_count > 0 and cost_usd > 0 and unpriced_token_count <= 0.05 * token_count)
select coalesce(nullif(left(feature, 60), ''), '(no feature)') as feature, feature as feature_name, cost_usd, request_count,
  cost_usd / nullif(request_count, 0) as request_usd,
  units.request_usd / (select percentile_cont(0.5) within group (order by other.request_usd)
    from units as other where other.feature <> costs.feature) as times_neighbours,
  active_user_count, cost_usd / nullif(active_user_count, 0) as user_usd, median_user_usd, dear_user_usd,
  customer_count, token_count, unpriced_token_count
from costs left join units using (feature) left join users using (feature)
order by cost_usd desc, feature`;

const REQUEST_COST = `with dearest as (
  select feature from reporting.daily_costs where ${USED} group by 1 order by sum(cost_usd) desc nulls last, 1 limit ${DRAWN_COUNT})
select ${TIME}, coalesce(nullif(left(feature, 60), ''), '(no feature)') as metric,
  sum(cost_usd) / nullif(sum(request_count), 0) as request_usd
from reporting.daily_costs join dearest using (feature) where ${USED}
group by day, feature having sum(request_count) > 0 order by 1, 2`;

const MODELS = `select coalesce(nullif(left(feature, 60), ''), '(no feature)') as feature, model,
  coalesce(sum(cost_usd), 0) as cost_usd, sum(token_count)::bigint as token_count,
  sum(cost_usd) / nullif(sum(token_count) filter (where cost_usd is not null), 0) * 1000000 as million_tokens_usd,
  sum(request_count)::bigint as request_count
from reporting.daily_costs where ${USED} group by 1, 2 order by 3 desc, 1, 2`;

const FEATURE_FIELD = {
  name: 'feature',
  title: 'Feature',
  leadsTo: '/console/features?feature=${__data.fields.feature:percentencode}',
};

export const FEATURES_DASHBOARD = dashboard(
  {
    uid: 'tallystick-features',
    title: 'Tallystick: features',
    description: 'What each feature costs: by day, by request and by active user, beside its neighbours.',
    consolePath: '/console/features',
  },
  [
    {
      panels: [
        figures(
          {
            title: 'All features',
            description:
              'Costs in US dollars, as far as prices are known; capacity that nobody used is left out.',
          },
          rowsOf(SUMS),
          [
            { name: 'feature_count', title: 'Features', ...COUNT },
            { name: 'cost_usd', title: 'Cost', ...USD },
            { name: 'request_count', title: 'Requests', unit: 'short', decimals: 1 },
            { name: 'request_usd', title: 'Cost of a request', ...SMALL_USD },
            {
              name: 'unpriced_token_count',
              title: 'Tokens without a cost',
              unit: 'short',
              decimals: 1,
              warnFrom: 1,
            },
          ],
        ),
        stackedBars(
          {
            title: 'Cost by day and feature',
            description:
              'The ten features that cost the most in the range, the others as one. Days are UTC days.',
            ...USD,
          },
          seriesOf(DAILY_COST),
        ),
        table(
          {
            title: 'Features',
            description:
              'Times neighbours: cost of a request against the middle one of the other features. Active users are counted once in each feature and do not add up; of their own costs the median and the 90th percentile.',
            height: 12,
          },
          rowsOf(COMPARED),
          [
            {
              name: 'feature',
              title: 'Feature',
              leadsTo: '/console/features?feature=${__data.fields.feature_name:percentencode}',
            },
            { name: 'feature_name', title: 'Name', isHidden: true },
            { name: 'cost_usd', title: 'Cost', ...USD },
            { name: 'request_count', title: 'Requests', ...COUNT },
            { name: 'request_usd', title: 'Cost of a request', ...SMALL_USD },
            { name: 'times_neighbours', title: '× neighbours', ...TIMES, warnFrom: 3 },
            { name: 'active_user_count', title: 'Active users', ...COUNT },
            { name: 'user_usd', title: 'Cost of a user', ...USD },
            { name: 'median_user_usd', title: 'Median user', ...USD },
            { name: 'dear_user_usd', title: '90th percentile', ...USD },
            { name: 'customer_count', title: 'Customers', ...COUNT },
            { name: 'token_count', title: 'Tokens', ...COUNT },
            { name: 'unpriced_token_count', title: 'Tokens without a cost', ...COUNT, warnFrom: 1 },
          ],
        ),
        lines(
          {
            title: 'Cost of a request by day',
            description:
              'Of the ten features that cost the most. A step is a change of model, of prompts or of prices.',
            ...SMALL_USD,
          },
          seriesOf(REQUEST_COST),
        ),
        table(
          {
            title: 'Features by model',
            description:
              'Which model each feature runs on, and what a million of its tokens costs there on average.',
            height: 12,
          },
          rowsOf(MODELS),
          [
            FEATURE_FIELD,
            { name: 'model', title: 'Model', leadsTo: '/console/models' },
            { name: 'cost_usd', title: 'Cost', ...USD },
            { name: 'token_count', title: 'Tokens', ...COUNT },
            { name: 'million_tokens_usd', title: 'A million tokens', ...USD },
            { name: 'request_count', title: 'Requests', ...COUNT },
          ],
        ),
      ],
    },
  ],
);
