-- Metrics that nobody knows. Gateways emit every category they have, most of them as 0: such rows are counted here by
-- their name, and are no source items. One that counts something waits in quarantine under its name and with its tokens.
create table noted_metrics (
  source text not null,
  metric_name text not null,
  row_count bigint not null,
  -- Ingestion time of its first and of its last row.
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  primary key (source, metric_name)
);

-- Those of before wait, and nothing of them was counted: they go over.
with gone as (
  delete from source_items where quarantine_reason = 'unknown_metric' and written_off_at is null
    and token_count = 0 and raw ->> 'sum' ~ '^-?0(\.0+)?$'
  returning metric_name, ingested_at, collection_window_id)
insert into noted_metrics (source, metric_name, row_count, first_seen_at, last_seen_at)
select coalesce(w.source, 'app-metrics'), gone.metric_name, count(*), min(gone.ingested_at), max(gone.ingested_at)
from gone left join collection_windows w on w.collection_window_id = gone.collection_window_id
group by 1, 2;

-- An entry says which metric told it, and of one that nobody knows what it counted: in no sum of prompt and completion,
-- for whose part its tokens are is not known.
create or replace view quarantine_entries as
  select 'item-' || s.quarantine_number as quarantine_id, 'source_item' as stage, s.quarantine_reason as reason,
    s.quarantine_detail as detail, s.event_time, s.subject, s.feature, s.model,
    (select customer_id from subjects where subjects.subject = s.subject) as customer_id,
    -- All other kinds are parts of these two, and the total is their sum.
    case when s.token_kind in ('prompt', 'completion', 'unknown') or s.counts_apart then s.token_count else 0 end as token_count,
    s.token_kind in ('prompt', 'completion') or s.counts_apart as is_counted,
    coalesce(w.collected_at, s.ingested_at) as waiting_since, s.written_off_at, s.metric_name
  from source_items s left join collection_windows w on w.collection_window_id = s.collection_window_id
  where s.quarantine_reason is not null
union all
  select 'event-' || e.usage_event_id, 'usage_event', e.quarantine_reason, null, e.event_time, e.subject, e.feature,
    e.model, (select customer_id from subjects where subjects.subject = e.subject),
    e.prompt_token_count + e.completion_token_count, true, e.created_at, e.written_off_at, null
  from usage_events e where e.status = 'quarantined' and e.kind = 'usage'
union all
  select 'usage-' || h.hourly_usage_id, 'hourly_usage', h.quarantine_reason, h.quarantine_detail,
    h.window_start + make_interval(mins => h.part_start_minute), h.subject, h.feature, h.model,
    coalesce(h.customer_id, (select customer_id from subjects where subjects.subject = h.subject)),
    h.delta_token_count, true, h.created_at, h.written_off_at, null
  from hourly_usage h
  where h.quarantine_reason is not null and h.late_item_id is null
    and not exists (select 1 from credit_proposals c where c.credit_proposal_id = h.credit_proposal_id and c.state = 'created')
union all
  select 'push-' || p.meter_push_id, 'meter_push', 'refused_by_stripe', p.last_error, p.event_timestamp, '', '', '',
    p.customer_id, p.delta_token_count, true, p.created_at, p.written_off_at, null
  from meter_pushes p where p.status = 'refused';
