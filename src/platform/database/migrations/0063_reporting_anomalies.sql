-- What stands out, for others' tools: the findings of /v1/anomalies, with both scores.
create view reporting.anomalies as
select anomaly_finding_id as anomaly_id, (first_hour at time zone 'UTC')::date as day, customer_id,
  customers.name as customer_name, first_hour, last_hour, state, shape, explanations, raised_at,
  raised_at is not null and decision is null and state <> 'withdrawn' as needs_somebody, decision,
  (select part ->> 'value' from jsonb_array_elements(moved) as part where part ->> 'dimension' = 'user') as user_id,
  (select part ->> 'value' from jsonb_array_elements(moved) as part where part ->> 'dimension' = 'feature') as feature,
  (select part ->> 'value' from jsonb_array_elements(moved) as part where part ->> 'dimension' = 'model') as model,
  cost_pico_usd * 0.000000000001 as cost_usd, usual_pico_usd * 0.000000000001 as usual_usd,
  excess_pico_usd * 0.000000000001 as excess_usd,
  case when state = 'open' then day_ahead_pico_usd * 0.000000000001 end as day_ahead_usd,
  score::numeric as score, sigma_score::numeric as sigma_score, is_above_sigma
from anomaly_findings left join customers using (customer_id);
