-- Minutes whose figures contradict each other wait whole, each row with both sums, until the missing row comes or a person
-- takes them as they were told.

alter table source_items
  add column quarantine_detail text,
  add column accepted_at timestamptz,
  add constraint source_items_detail check (quarantine_detail is null or quarantine_reason is not null);
create index source_items_held on source_items (subject, event_time)
  where quarantine_reason in ('counts_disagree', 'overlap_untold') and written_off_at is null;

create or replace view quarantine_entries as
  select 'item-' || s.quarantine_number as quarantine_id, 'source_item' as stage, s.quarantine_reason as reason,
    s.quarantine_detail as detail, s.event_time, s.subject, s.feature, s.model,
    (select customer_id from subjects where subjects.subject = s.subject) as customer_id,
    -- All other kinds are parts of these two, and the total is their sum.
    case when s.token_kind in ('prompt', 'completion') or s.counts_apart then s.token_count else 0 end as token_count,
    s.token_kind in ('prompt', 'completion') or s.counts_apart as is_counted,
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
  from hourly_usage h
  where h.quarantine_reason is not null and h.late_item_id is null
    and not exists (select 1 from credit_proposals c where c.credit_proposal_id = h.credit_proposal_id and c.state = 'created')
union all
  select 'push-' || p.meter_push_id, 'meter_push', 'refused_by_stripe', p.last_error, p.event_timestamp, '', '', '',
    p.customer_id, p.delta_token_count, true, p.created_at, p.written_off_at
  from meter_pushes p where p.status = 'refused';
