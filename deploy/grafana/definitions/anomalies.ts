import { choiceVariable, dashboard, textVariable } from './frame.ts';
import { COUNT, figures, lines, stackedBars, TIMES, table, USD } from './panels.ts';
import { rowsOf, seriesOf } from './queries.ts';
import { FIRST_DAY, IN_RANGE, LAST_DAY, NAMES, stackOf, TIME } from './sql-parts.ts';

/** Weeks that a day is compared with, and the fewest of them that make a comparison. */
const WEEK_COUNT = 8;
const LEAST_WEEK_COUNT = 3;
/** Makes the median distance comparable with a standard deviation, where days spread normally. */
const DEVIATIONS = 1.4826;
/** Of the customer's median day: few weeks that happen to agree do not make a small spread. */
const LEAST_SPREAD = 0.25;

const THRESHOLD = `\${threshold:sqlstring}::numeric`;
const LEAST_USD = `\${least:sqlstring}::numeric`;

/**
 * The rule: a customer's day against the same weekday of the eight weeks before, as far as the customer is known so long, days
 * without usage being zero. Typical is their median; the spread is their median distance from it, as a standard deviation, and at
 * least a quarter of the customer's median day and a cent. The score is how many spreads the day lies above what is typical: a robust z-score,
 * which one day that stood out before does not blunt.
 *
 * @param more a further condition on customers
 */
const scored = (more = '') => `${NAMES},
costs as (
  select customer_id, day, coalesce(sum(cost_usd), 0) as cost_usd from reporting.daily_costs
  where kind <> 'idle' and customer_id is not null and day between ${FIRST_DAY} - ${7 * WEEK_COUNT} and ${LAST_DAY}${more}
  group by 1, 2),
known as (
  select customer_id, min(day) as since, percentile_cont(0.5) within group (order by cost_usd) as usual_usd from costs group by 1),
compared as (
  select costs.customer_id, costs.day, costs.cost_usd, usual_usd, array_agg(coalesce(past.cost_usd, 0)) as weekdays,
    percentile_cont(0.5) within group (order by coalesce(past.cost_usd, 0)) as typical_usd
  from costs join known using (customer_id) cross join generate_series(1, ${WEEK_COUNT}) as week
  left join costs as past on past.customer_id = costs.customer_id and past.day = costs.day - 7 * week
  where costs.day >= ${FIRST_DAY} and costs.day - 7 * week >= known.since
  group by 1, 2, 3, 4 having count(*) >= ${LEAST_WEEK_COUNT}),
spread as (
  select customer_id, day, cost_usd, typical_usd, greatest(${LEAST_SPREAD} * usual_usd, 0.01, ${DEVIATIONS} * (
    select percentile_cont(0.5) within group (order by abs(weekday - typical_usd)) from unnest(weekdays) as weekday)) as spread_usd
  from compared),
scored as (select *, (cost_usd - typical_usd) / spread_usd as score from spread),
outstanding as (
  select scored.*, coalesce(name, customer_id) as customer from scored left join names using (customer_id)
  where score >= ${THRESHOLD} and cost_usd - typical_usd >= ${LEAST_USD})`;

const SUMS = `with ${scored()}
select (select count(*) from outstanding) as day_count, (select count(distinct customer_id) from outstanding) as customer_count,
  (select coalesce(sum(cost_usd - typical_usd), 0) from outstanding) as extra_usd,
  (select count(distinct customer_id) from costs where ${IN_RANGE}
   and customer_id not in (select customer_id from compared)) as uncompared_count`;

/** With the feature that grew the most against the mean of the same weekdays. */
const DAYS = `with ${scored()},
features as (
  select outstanding.customer_id, outstanding.day, feature,
    coalesce(sum(part.cost_usd) filter (where part.day = outstanding.day), 0)
      - coalesce(sum(part.cost_usd) filter (where part.day < outstanding.day), 0) / ${WEEK_COUNT} as extra_usd
  from outstanding join reporting.daily_costs as part on part.customer_id = outstanding.customer_id
    and part.day between ${FIRST_DAY} - ${7 * WEEK_COUNT} and ${LAST_DAY}
    and part.day between outstanding.day - ${7 * WEEK_COUNT} and outstanding.day
    and (outstanding.day - part.day) % 7 = 0
  group by 1, 2, 3),
grown as (select distinct on (customer_id, day) customer_id, day, feature from features order by customer_id, day, extra_usd desc, feature)
select day::text as day, customer, customer_id, cost_usd, typical_usd, cost_usd - typical_usd as extra_usd,
  cost_usd / nullif(typical_usd, 0) as times_typical, score, coalesce(nullif(left(feature, 60), ''), '(no feature)') as feature
from outstanding left join grown using (customer_id, day)
order by day desc, cost_usd - typical_usd desc, customer_id`;

/** What the engine found, with both its scores: those that need somebody first, then those with most at stake. */
const FINDINGS = `with ${NAMES}
select anomaly_id::text as anomaly_id, coalesce(name, customer_id) as customer, customer_id, first_hour, last_hour,
  case when needs_somebody then 'needs somebody' when state = 'withdrawn' then 'withdrawn' else coalesce(decision, 'highlighted') end
    as standing,
  replace(coalesce(shape, 'day above two sigmas'), '_', ' ') as what, left(feature, 60) as feature, left(user_id, 60) as user_id,
  excess_usd, day_ahead_usd, score, sigma_score, replace(array_to_string(explanations, ', '), '_', ' ') as explained_by
from reporting.anomalies left join names using (customer_id)
where first_hour <= $__timeTo()::timestamptz and last_hour >= $__timeFrom()::timestamptz and state <> 'withdrawn'
order by needs_somebody desc, excess_usd + coalesce(day_ahead_usd, 0) desc, anomaly_id desc limit 200`;

const EXTRA = `with ${scored()},
${stackOf('select day, customer as part, false as is_apart, cost_usd - typical_usd as cost_usd from outstanding')}`;

const ONE_CUSTOMER = `with ${scored(` and customer_id = \${customer:sqlstring}`)}
select ${TIME}, cost_usd as "Cost", typical_usd as "Typical", greatest(typical_usd + ${THRESHOLD} * spread_usd,
  typical_usd + ${LEAST_USD}) as "Stands out from here"
from scored order by 1`;

const RULE =
  'A day is held against the same weekday of the eight weeks before (at least three): how many spreads it lies above their median, the spread being their median distance from it, and at least a quarter of the customer’s median day.';

export const ANOMALIES = dashboard(
  {
    uid: 'tallystick-anomalies',
    title: 'Tallystick: days that stand out',
    description: `Customers whose cost of a day is far above what it usually is. ${RULE} About half of such days are growth and no fault.`,
    consolePath: '/console/customers',
    variables: [
      textVariable('threshold', 'Spreads', '3', 'From how many spreads above the median a day stands out'),
      textVariable('least', 'Least dollars', '10', 'By how many dollars a day must be above the median'),
      choiceVariable(
        'customer',
        'Customer',
        `with ${NAMES} select name as __text, customer_id as __value from names order by 1`,
      ),
    ],
  },
  [
    {
      panels: [
        table(
          {
            title: 'What stands out',
            description:
              'Findings of Tallystick, judged by the hour: usage that is above the usual of its weekday and hour, concentrated, material and unexplained needs somebody; the rest is highlighted. Score: robust deviations. Sigmas: standard deviations of the day above the mean of 30 days. In another day: if it goes on.',
            height: 10,
          },
          rowsOf(FINDINGS),
          [
            {
              name: 'anomaly_id',
              title: 'Anomaly',
              leadsTo: '/console/anomalies/${__data.fields.anomaly_id:percentencode}',
            },
            {
              name: 'customer',
              title: 'Customer',
              leadsTo: '/console/customers/${__data.fields.customer_id:percentencode}',
            },
            { name: 'customer_id', title: 'Customer id', isHidden: true },
            { name: 'first_hour', title: 'Since' },
            { name: 'last_hour', title: 'Last hour' },
            { name: 'standing', title: 'Standing' },
            { name: 'what', title: 'What' },
            { name: 'feature', title: 'Feature' },
            { name: 'user_id', title: 'User' },
            { name: 'excess_usd', title: 'Too much so far', ...USD },
            { name: 'day_ahead_usd', title: 'In another day', ...USD },
            { name: 'score', title: 'Score', ...TIMES },
            { name: 'sigma_score', title: 'Sigmas', ...TIMES },
            { name: 'explained_by', title: 'Explained by' },
          ],
        ),
        figures(
          {
            title: 'In this range',
            description: `${RULE} Customers who are new to that weekday are compared with nothing yet.`,
          },
          rowsOf(SUMS),
          [
            { name: 'day_count', title: 'Days that stand out', ...COUNT, warnFrom: 1 },
            { name: 'customer_count', title: 'Customers', ...COUNT },
            { name: 'extra_usd', title: 'Above what is typical', ...USD },
            { name: 'uncompared_count', title: 'Customers too new to compare', ...COUNT },
          ],
        ),
        table(
          {
            title: 'Days that stand out',
            description: `${RULE} Feature: the one whose cost grew the most.`,
            height: 12,
          },
          rowsOf(DAYS),
          [
            { name: 'day', title: 'Day' },
            {
              name: 'customer',
              title: 'Customer',
              leadsTo: '/console/customers/${__data.fields.customer_id:percentencode}',
            },
            { name: 'customer_id', title: 'Customer id', isHidden: true },
            { name: 'cost_usd', title: 'Cost', ...USD },
            { name: 'typical_usd', title: 'Typical', ...USD },
            { name: 'extra_usd', title: 'Above typical', ...USD },
            { name: 'times_typical', title: '× typical', ...TIMES },
            { name: 'score', title: 'Spreads', ...TIMES, warnFrom: 10 },
            { name: 'feature', title: 'Feature that grew most' },
          ],
        ),
        stackedBars(
          {
            title: 'Above what is typical, by day',
            description: 'Dollars of the days that stand out beyond what is typical, by customer.',
            ...USD,
          },
          seriesOf(EXTRA),
        ),
      ],
    },
    {
      title: 'One customer',
      panels: [
        lines(
          {
            title: 'Cost against the same weekday',
            description: `Of the customer chosen above. ${RULE} Days that cannot be compared yet are left out.`,
            ...USD,
          },
          seriesOf(ONE_CUSTOMER),
        ),
      ],
    },
  ],
);
