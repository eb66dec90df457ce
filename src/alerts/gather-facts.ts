import { type RawBuilder, sql } from 'kysely';
import { COUNTED_FIGURES, FIGURES, TYPED_FIGURES } from '../../pricing/usage/shape.ts';
import { CARRY_TO_NEXT_INVOICE } from '../billing/meter-pushes.ts';
import { UNINVOICED } from '../billing/uninvoiced/groups.ts';

/** What repair has not settled by then, a person should see. */
const DRIFT_AFTER = '2 hours';
/** Older facts were told, or were there before anybody asked to be told. */
const LOOK_BACK = '3 days';
/** An anomaly whose next day costs more than this may not wait until morning. */
const URGENT_PICO_USD = '100000000000000';
/** So close to its deadline a held invoice may not wait either. */
const DEADLINE_NEAR = '4 hours';
/** Looks at a close, one after the other, that met trouble. */
const STUCK_AFTER_FAILURES = 5;
/** Meters that count every billed token once; others count parts of the same tokens, their sums, or requests. */
const COUNTED_METERS = COUNTED_FIGURES.map((name) => FIGURES[name].meterSlug);
const PART_METERS = TYPED_FIGURES.filter((name) => !COUNTED_FIGURES.includes(name)).map(
  (name) => FIGURES[name].meterSlug,
);

const iso = (column: string) =>
  sql.raw(`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`);

/**
 * Every fact that is so now and that people may want to hear of: kind, key, topic (null: it does not last), customer, audience,
 * severity, facts. Of what does not last only what is recent.
 */
export function factsNow({
  now,
  quarantineAfterMs,
}: {
  now: Date;
  quarantineAfterMs: number;
}): RawBuilder<unknown> {
  const instant = sql`${now}::timestamptz`;
  const since = sql`${instant} - ${LOOK_BACK}::interval`;
  const parts = [
    sql`
    select 'budget' as kind, 'budget:' || budget_step_event_id as key, 'budget:' || budget_step_event_id as topic,
      coalesce(nullif(event.customer_id, ''), budgets.customer_id) as customer_id,
      -- What usage costs us is not theirs to know.
      case when measure <> 'cost' and coalesce(nullif(event.customer_id, ''), budgets.customer_id) is not null
        then 'customer' else 'operator' end as audience,
      case when step ->> 'on' = 'forecast' then 'info'
        when step ->> 'action' <> 'tell' or (step ->> 'sharePermille')::int >= 1000 then 'urgent' else 'warning' end as severity,
      jsonb_build_object('eventId', budget_step_event_id::text, 'budgetId', budget_id, 'budgetName', budgets.name,
        'subject', coalesce(nullif(event.subject, ''), budgets.subject), 'feature', feature, 'measure', measure,
        'currency', currency, 'period', period, 'windowEnd', ${iso('window_end')}, 'sharePermille', step -> 'sharePermille',
        'on', step ->> 'on', 'action', step ->> 'action', 'contact', step ->> 'contact', 'used', used::text,
        'limit', effective_limit::text, 'cannotBill', (
          select min(bill.reason) from early_bills as bill
          where bill.budget_step_event_id = event.budget_step_event_id having bool_and(bill.state = 'cannot'))) as facts
    from budget_step_events as event join budgets using (budget_id)
    where withdrawn_at is null and window_end > ${since} and reached_at > ${since}`,
    // Found out after the step was told of.
    sql`
    select 'budget', 'early-bill:' || early_bill_id, null, bill.customer_id, 'operator', 'urgent',
      jsonb_build_object('eventId', budget_step_event_id::text, 'budgetId', budget_id, 'budgetName', budgets.name,
        'subject', null, 'feature', null, 'measure', measure, 'currency', budgets.currency, 'period', period,
        'windowEnd', ${iso('window_end')}, 'sharePermille', step -> 'sharePermille', 'on', step ->> 'on', 'action', step ->> 'action',
        'contact', step ->> 'contact', 'used', used::text, 'limit', effective_limit::text, 'cannotBill', bill.reason)
    from early_bills as bill join budget_step_events as event using (budget_step_event_id) join budgets using (budget_id)
    where bill.state = 'cannot' and decided_at > wanted_at and decided_at > ${since} and withdrawn_at is null`,
    sql`
    select 'anomaly' as kind, 'anomaly:' || anomaly_finding_id as key, 'anomaly:' || anomaly_finding_id as topic, customer_id,
      'operator' as audience,
      case when day_ahead_pico_usd >= ${URGENT_PICO_USD}::numeric then 'urgent' else 'warning' end as severity,
      jsonb_build_object('findingId', anomaly_finding_id::text, 'firstHour', ${iso('first_hour')}, 'shape', shape, 'moved', moved,
        'costPicoUsd', cost_pico_usd::text, 'usualPicoUsd', usual_pico_usd::text, 'excessPicoUsd', excess_pico_usd::text,
        'dayAheadPicoUsd', day_ahead_pico_usd::text) as facts
    from anomaly_findings where raised_at > ${since} and state <> 'withdrawn' and decision is null`,
    sql`
    select 'drift', 'drift:' || boundary || ':' || coalesce(customer_id, '') || ':' || extract(epoch from min(first_seen_at)),
      'drift:' || boundary || ':' || coalesce(customer_id, ''), customer_id, 'operator', 'warning',
      jsonb_build_object('boundary', boundary, 'hourCount', count(distinct window_start),
        -- Of parts alone: those.
        'tokenCount', greatest(sum(counted), sum(parts))::text, 'firstSeenAt', ${iso('min(first_seen_at)')})
    from (
      select 'openmeter' as boundary, subjects.customer_id, window_start, drifts.first_seen_at,
        case when meter_slug = any(${COUNTED_METERS}::text[]) then abs(ledger_value - metered_value) else 0 end as counted,
        case when meter_slug = any(${PART_METERS}::text[]) then abs(ledger_value - metered_value) else 0 end as parts
      from drifts left join subjects using (subject) where resolved_at is null
      union all
      select 'stripe', customer_id, window_start, first_seen_at, abs(acknowledged_value - counted_value), 0
      from billing_drifts where resolved_at is null) as open
    where first_seen_at <= ${instant} - ${DRIFT_AFTER}::interval group by boundary, customer_id`,
    sql`
    select 'held_invoice', step.topic || ':' || held_count, step.topic, customer_id, 'operator', step.severity,
      jsonb_build_object('invoiceId', invoice_id, 'periodEnd', ${iso('period_end')}, 'deadline', ${iso('deadline')},
        'reason', coalesce(difference -> 0 ->> 'kind', last_error))
    from closes cross join lateral (values ('held:' || invoice_id, 'warning'), ('deadline:' || invoice_id, 'urgent'))
      as step(topic, severity)
    -- Held so late that both are so, it is told once, as what may not wait.
    where ended_at is null and state = 'held'
      and (step.severity = 'urgent') = coalesce(deadline <= ${instant} + ${DEADLINE_NEAR}::interval, false)`,
    sql`
    select 'failed_close', 'stuck:' || invoice_id || ':' || state || ':' || extract(epoch from state_at), 'stuck:' || invoice_id,
      customer_id, 'operator', 'warning',
      jsonb_build_object('invoiceId', invoice_id, 'periodEnd', ${iso('period_end')}, 'state', state, 'problem', last_error)
    from closes where ended_at is null and state <> 'held' and ${failuresOf('closes')} >= ${STUCK_AFTER_FAILURES}
    union all
    select 'failed_close', 'close:' || invoice_id, null, customer_id, 'operator', 'urgent',
      jsonb_build_object('invoiceId', invoice_id, 'periodEnd', ${iso('period_end')}, 'state', state, 'problem', last_error)
    from closes where state = 'finalized_without_us' and ended_at > ${since} and jsonb_typeof(difference) = 'array'`,
    sql`
    select 'quarantine_age', waiting.topic || ':' || extract(epoch from oldest), waiting.topic, null, 'operator', 'warning',
      jsonb_build_object('stage', stage, 'reason', reason, 'metricName', metric_name, 'rowCount', rows::text,
        'tokenCount', tokens::text, 'oldestAt', ${iso('oldest')})
    from (${waitingUsage()}) as waiting
    where oldest < ${instant} - ${quarantineAfterMs} * interval '1 millisecond'`,
    sql`
    select 'price_change', 'price:' || change_id, null, null, 'operator', 'info',
      jsonb_build_object('state', 'made', 'version', version, 'madeBy', made_by, 'reason', reason, 'count', 1,
        'models', coalesce((select jsonb_agg(distinct model) from price_book_rows as row where row.change_id = change.change_id), '[]'))
    from price_book_changes as change where made_at > ${since} and kind <> 'seed'
    union all
    select 'price_change', 'price-waits:' || max(price_sync_item_id), 'price-waits', null, 'operator', 'warning',
      jsonb_build_object('state', 'waits', 'version', null, 'madeBy', null, 'reason', null, 'count', count(*),
        'models', coalesce(jsonb_agg(distinct model) filter (where model is not null), '[]'))
    from price_sync_items where status = 'pending' having count(*) > 0`,
  ];
  return sql.join(parts, sql` union all `);
}

/** Failed looks at a close, one after the other: a step that was done begins anew, as does a look that merely waits. */
function failuresOf(close: 'close' | 'closes'): RawBuilder<number> {
  return sql<number>`least(${sql.ref(`${close}.failed_look_count`)}, ${sql.ref(`${close}.attempt_count`)})`;
}

/** What waits in quarantine, by what it would be told as, since when. What waits by plan, or is told by its cause, is left out. */
function waitingUsage(): RawBuilder<unknown> {
  const told = sql`reason <> all(${[CARRY_TO_NEXT_INVOICE, UNINVOICED]}::text[])`;
  return sql`
    select 'quarantine:' || stage || ':' || reason || ':' || coalesce(metric_name, '') as topic, stage, reason, metric_name,
      sum(rows) as rows, sum(tokens) as tokens, min(since) as oldest
    from (
      select stage, reason, null as metric_name, 1 as rows, token_count as tokens, waiting_since as since
      from held_usage_entries where written_off_at is null and ${told}
      union all
      select 'source_item', reason, nullif(metric_name, ''), sum(item.row_count), sum(item.token_count),
        coalesce(min(collected_at), min(first_ingested_at))
      from held_item_sums as item left join collection_windows using (collection_window_id)
      where not is_written_off and ${told} group by reason, metric_name, collection_window_id having sum(item.row_count) > 0) as held
    group by stage, reason, metric_name`;
}

/**
 * Of alerts that stand (`alert`, their facts now in `current`): whose fact is no longer so (`alert_id`), and what is said of that
 * (`ending`; null: nothing).
 */
export function factsOver(now: Date): RawBuilder<unknown> {
  const gone = sql`not exists (select from current where current.topic = alert.topic)`;
  return sql`
    select alert_id, case kind
        when 'budget' then (case when withdrawn_reason = 'less_used' then 'undone' when withdrawn_reason is not null then 'settled' end)
        when 'anomaly' then (case when finding.state = 'withdrawn' then 'undone' end)
        when 'price_change' then null
        else 'settled' end as ending
    from alerts as alert
    left join budget_step_events as step on alert.kind = 'budget' and budget_step_event_id = (facts ->> 'eventId')::bigint
    left join anomaly_findings as finding on alert.kind = 'anomaly' and anomaly_finding_id = (facts ->> 'findingId')::bigint
    left join closes as close on alert.kind in ('held_invoice', 'failed_close') and invoice_id = facts ->> 'invoiceId'
    where is_standing and alert.ended_at is null and case kind
      -- Late data may undo it after its window, too.
      when 'budget' then step.withdrawn_at is not null or step.window_end < ${now}::timestamptz - interval '7 days'
      when 'anomaly' then finding.state = 'withdrawn' or finding.decision is not null
        or finding.ended_at < ${now}::timestamptz - interval '30 days'
      -- Between two looks at a held close it is on its way for a moment.
      when 'held_invoice' then close.ended_at is not null or close.state in ('annotated', 'issued', 'released')
      when 'failed_close' then close.ended_at is not null or close.state = 'held' or ${failuresOf('close')} < ${STUCK_AFTER_FAILURES}
      else ${gone} end`;
}
