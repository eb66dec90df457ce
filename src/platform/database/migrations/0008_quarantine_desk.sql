-- Everything that waits or was written off, of all four stages, under one name each.

create view quarantine_entries as
  select 'item-' || s.quarantine_number as quarantine_id, 'source_item' as stage, s.quarantine_reason as reason,
    null::text as detail, s.event_time, s.subject, s.feature, s.model,
    (select customer_id from subjects where subjects.subject = s.subject) as customer_id,
    -- Cached and reasoning tokens are parts of these two, and the total is their sum.
    case when s.token_kind in ('prompt', 'completion') then s.token_count else 0 end as token_count,
    s.token_kind in ('prompt', 'completion') as is_counted,
    coalesce(w.collected_at, s.ingested_at) as waiting_since, s.written_off_at
  from source_items s left join collection_windows w on w.collection_window_id = s.collection_window_id
  where s.quarantine_reason is not null
union all
  select 'event-' || e.usage_event_id, 'usage_event', e.quarantine_reason, null, e.event_time, e.subject, e.feature,
    e.model, (select customer_id from subjects where subjects.subject = e.subject),
    e.prompt_token_count + e.completion_token_count, true, e.created_at, e.written_off_at
  from usage_events e where e.status = 'quarantined' and e.kind = 'usage'
union all
  select 'usage-' || h.hourly_usage_id, 'hourly_usage', h.quarantine_reason, h.quarantine_detail,
    h.window_start + make_interval(mins => h.part_start_minute), h.subject, h.feature, h.model,
    coalesce(h.customer_id, (select customer_id from subjects where subjects.subject = h.subject)),
    h.delta_token_count, true, h.created_at, h.written_off_at
  from hourly_usage h where h.quarantine_reason is not null
union all
  select 'push-' || p.meter_push_id, 'meter_push', 'refused_by_stripe', p.last_error, p.event_timestamp, '', '', '',
    p.customer_id, p.delta_token_count, true, p.created_at, p.written_off_at
  from meter_pushes p where p.status = 'refused';

-- A person asked for this item to be judged again.
alter table source_items add column retry_requested_at timestamptz;
