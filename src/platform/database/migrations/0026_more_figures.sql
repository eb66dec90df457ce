-- Audio, images, cache writes and predictions are figures of usage. What was counted before they were holds none of them.
-- Usage events are normalised: prompt and completion include all their parts, whatever the rule at the source is.

alter table usage_events
  add column audio_prompt_token_count bigint not null default 0,
  add column image_prompt_token_count bigint not null default 0,
  add column cached_audio_prompt_token_count bigint not null default 0,
  add column cache_write_5m_token_count bigint not null default 0,
  add column cache_write_1h_token_count bigint not null default 0,
  add column audio_completion_token_count bigint not null default 0,
  add column image_completion_token_count bigint not null default 0,
  add column accepted_prediction_token_count bigint not null default 0,
  add column rejected_prediction_token_count bigint not null default 0,
  -- Collected before contradictions were held back, in an hour and key of which one event contradicts itself: billed with
  -- cached tokens beyond the prompt left out. That stays, whatever comes later.
  add column counted_formerly boolean not null default false;

alter table dropped_item_sums
  add column audio_prompt_token_count bigint not null default 0,
  add column image_prompt_token_count bigint not null default 0,
  add column cached_audio_prompt_token_count bigint not null default 0,
  add column cache_write_5m_token_count bigint not null default 0,
  add column cache_write_1h_token_count bigint not null default 0,
  add column audio_completion_token_count bigint not null default 0,
  add column image_completion_token_count bigint not null default 0,
  -- As that of the events.
  add column counted_formerly boolean not null default false;

alter table hourly_activity
  add column accepted_prediction_token_count bigint not null default 0,
  add column rejected_prediction_token_count bigint not null default 0;

-- A part that its source tells beside its whole (Anthropic's cache reads and writes beside the prompt), not within it.
alter table source_items add column counts_apart boolean not null default false;
alter table control_items add column counts_apart boolean not null default false;

-- Checks of what may be counted.
do $$
declare found record;
begin
  for found in
    select conrelid::regclass as of_table, conname, pg_get_constraintdef(oid) as definition from pg_constraint
    where contype = 'c' and coninhcount = 0
      and (pg_get_constraintdef(oid) like '%(token_type = ANY%' or pg_get_constraintdef(oid) like '%(token_kind = ANY%')
  loop
    execute format('alter table %s drop constraint %I', found.of_table, found.conname);
    execute format('alter table %s add constraint %I %s', found.of_table, found.conname,
      case when found.definition like '%(token_type = ANY%' then replace(found.definition, '''completion''::text',
        '''prompt_audio''::text, ''prompt_image''::text, ''prompt_cached_audio''::text, ''prompt_cache_write_5m''::text, '
        '''prompt_cache_write_1h''::text, ''completion''::text, ''completion_audio''::text, ''completion_image''::text')
      else replace(found.definition, '''completion''::text',
        '''audio_prompt''::text, ''image_prompt''::text, ''cached_audio_prompt''::text, ''cache_write_5m''::text, '
        '''cache_write_1h''::text, ''completion''::text, ''audio_completion''::text, ''image_completion''::text, '
        '''accepted_prediction''::text, ''rejected_prediction''::text') end);
  end loop;
end $$;

-- Of whole hours and keys: what was billed of them was cut by the sum of their events.
update usage_events e set counted_formerly = true
from (select distinct window_start, subject, feature, model, deployment from usage_events
      where kind = 'usage' and cached_prompt_token_count > prompt_token_count) as odd
where e.window_start = odd.window_start and e.subject = odd.subject and e.feature = odd.feature and e.model = odd.model
  and e.deployment = odd.deployment and e.kind = 'usage';
create index usage_events_counted_formerly on usage_events (window_start) where counted_formerly;

update dropped_item_sums d set counted_formerly = true
where cached_prompt_token_count > prompt_token_count
  or exists (select 1 from usage_events e where e.counted_formerly and e.window_start = d.window_start
    and e.subject = d.subject and e.feature = d.feature and e.model = d.model and e.deployment = d.deployment);
alter table dropped_item_sums drop constraint dropped_item_sums_pkey;
alter table dropped_item_sums
  add primary key (window_start, subject, feature, model, deployment, counted_formerly);

-- A part told apart counts its tokens itself.
create or replace view quarantine_entries as
  select 'item-' || s.quarantine_number as quarantine_id, 'source_item' as stage, s.quarantine_reason as reason,
    null::text as detail, s.event_time, s.subject, s.feature, s.model,
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
