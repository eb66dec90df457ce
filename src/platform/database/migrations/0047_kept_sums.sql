-- Sums of what grows with history, kept as it is written: who asks how the pipeline is, scans none of it.

-- Each statement that changes a sum adds a row, so that writers never wait for each other; now and then the rows of a name
-- and part are made one. Of items, pushes and the like: how many there are, and their tokens.
create table kept_sums (
  kept_sum_id bigint generated always as identity primary key,
  name text not null,
  part text not null,
  row_count bigint not null,
  token_count bigint not null
);

-- Source items that wait, or were given up, by the window that brought them, which says since when.
create table held_item_sums (
  held_item_sum_id bigint generated always as identity primary key,
  reason text not null,
  -- Of metrics that nobody knows; else empty.
  metric_name text not null,
  collection_window_id bigint not null,
  is_written_off boolean not null,
  row_count bigint not null,
  token_count bigint not null,
  -- Of it, what counts as collected.
  counted_row_count bigint not null,
  counted_token_count bigint not null,
  first_ingested_at timestamptz not null
);

-- What was collected stays collected when its single items are dropped: they are in no sum but this one.
create function keep_sums_of_new_items() returns trigger language plpgsql as $$
begin
  insert into kept_sums (name, part, row_count, token_count)
  select 'collected', '', count(*), coalesce(sum(token_count), 0) from added
  where token_kind in ('prompt', 'completion') or counts_apart having count(*) > 0;
  insert into held_item_sums (reason, metric_name, collection_window_id, is_written_off, row_count, token_count,
    counted_row_count, counted_token_count, first_ingested_at)
  select quarantine_reason, case when quarantine_reason = 'unknown_metric' then metric_name else '' end, collection_window_id,
    written_off_at is not null, count(*),
    coalesce(sum(token_count) filter (where token_kind in ('prompt', 'completion', 'unknown') or counts_apart), 0),
    count(*) filter (where token_kind in ('prompt', 'completion') or counts_apart),
    coalesce(sum(token_count) filter (where token_kind in ('prompt', 'completion') or counts_apart), 0), min(ingested_at)
  from added where quarantine_reason is not null group by 1, 2, 3, 4;
  return null;
end $$;
create trigger source_items_kept_new after insert on source_items
  referencing new table as added for each statement execute function keep_sums_of_new_items();

create function keep_sums_of_items() returns trigger language plpgsql as $$
begin
  insert into kept_sums (name, part, row_count, token_count)
  select 'collected', '', sum(sign), sum(sign * token_count)
  from (select 1 as sign, token_count, token_kind, counts_apart from changed_to
        union all select -1, token_count, token_kind, counts_apart from changed_from) as items
  where token_kind in ('prompt', 'completion') or counts_apart
  having sum(sign) <> 0 or sum(sign * token_count) <> 0;
  insert into held_item_sums (reason, metric_name, collection_window_id, is_written_off, row_count, token_count,
    counted_row_count, counted_token_count, first_ingested_at)
  select quarantine_reason, case when quarantine_reason = 'unknown_metric' then metric_name else '' end, collection_window_id,
    written_off_at is not null, sum(sign),
    coalesce(sum(sign * token_count) filter (where token_kind in ('prompt', 'completion', 'unknown') or counts_apart), 0),
    coalesce(sum(sign) filter (where token_kind in ('prompt', 'completion') or counts_apart), 0),
    coalesce(sum(sign * token_count) filter (where token_kind in ('prompt', 'completion') or counts_apart), 0), min(ingested_at)
  from (select 1 as sign, * from changed_to union all select -1, * from changed_from) as items
  where quarantine_reason is not null group by 1, 2, 3, 4
  having sum(sign) <> 0 or sum(sign * token_count) <> 0
    or sum(sign) filter (where token_kind in ('prompt', 'completion') or counts_apart) <> 0;
  return null;
end $$;
create trigger source_items_kept after update on source_items
  referencing old table as changed_from new table as changed_to
  for each statement execute function keep_sums_of_items();

create function keep_sums_of_new_events() returns trigger language plpgsql as $$
begin
  insert into kept_sums (name, part, row_count, token_count)
  select 'usage_events', status, count(*),
    coalesce(sum(prompt_token_count + completion_token_count) filter (where kind = 'usage'), 0) from added group by status;
  return null;
end $$;
create trigger usage_events_kept_new after insert on usage_events
  referencing new table as added for each statement execute function keep_sums_of_new_events();
create function keep_sums_of_events() returns trigger language plpgsql as $$
begin
  insert into kept_sums (name, part, row_count, token_count)
  select 'usage_events', status, sum(sign),
    coalesce(sum(sign * (prompt_token_count + completion_token_count)) filter (where kind = 'usage'), 0)
  from (select 1 as sign, status, kind, prompt_token_count, completion_token_count from changed_to
        union all select -1, status, kind, prompt_token_count, completion_token_count from changed_from) as events
  group by status having sum(sign) <> 0 or sum(sign * (prompt_token_count + completion_token_count)) <> 0;
  return null;
end $$;
create trigger usage_events_kept after update on usage_events
  referencing old table as changed_from new table as changed_to
  for each statement execute function keep_sums_of_events();

-- Its counts are never changed, and its rows never deleted.
create function keep_sums_of_new_usage() returns trigger language plpgsql as $$
begin
  insert into kept_sums (name, part, row_count, token_count)
  select 'hourly_usage', '', count(*), sum(delta_token_count) from added having count(*) > 0;
  return null;
end $$;
create trigger hourly_usage_kept_new after insert on hourly_usage
  referencing new table as added for each statement execute function keep_sums_of_new_usage();

create function keep_sums_of_new_pushes() returns trigger language plpgsql as $$
begin
  insert into kept_sums (name, part, row_count, token_count)
  select 'meter_pushes', concat_ws(' ', status, fate), count(*), sum(delta_token_count) from added group by 2;
  return null;
end $$;
create trigger meter_pushes_kept_new after insert on meter_pushes
  referencing new table as added for each statement execute function keep_sums_of_new_pushes();
create function keep_sums_of_pushes() returns trigger language plpgsql as $$
begin
  insert into kept_sums (name, part, row_count, token_count)
  select 'meter_pushes', concat_ws(' ', status, fate), sum(sign), sum(sign * delta_token_count)
  from (select 1 as sign, status, fate, delta_token_count from changed_to
        union all select -1, status, fate, delta_token_count from changed_from) as pushes
  group by 2 having sum(sign) <> 0 or sum(sign * delta_token_count) <> 0;
  return null;
end $$;
create trigger meter_pushes_kept after update on meter_pushes
  referencing old table as changed_from new table as changed_to
  for each statement execute function keep_sums_of_pushes();

-- Tables of which only the count by status is asked for: the column that has it is the trigger's argument.
create function keep_counts_of_new() returns trigger language plpgsql as $$
begin
  execute format('insert into kept_sums (name, part, row_count, token_count)
    select %L, %I, count(*), 0 from added group by %I', tg_table_name, tg_argv[0], tg_argv[0]);
  return null;
end $$;
create function keep_counts() returns trigger language plpgsql as $$
begin
  execute format('insert into kept_sums (name, part, row_count, token_count)
    select %L, part, sum(sign), 0 from (select 1 as sign, %I as part from changed_to union all select -1, %I from changed_from)
      as changed group by part having sum(sign) <> 0', tg_table_name, tg_argv[0], tg_argv[0]);
  return null;
end $$;
create trigger settlements_kept_new after insert on settlements
  referencing new table as added for each statement execute function keep_counts_of_new('status');
create trigger settlements_kept after update on settlements
  referencing old table as changed_from new table as changed_to
  for each statement execute function keep_counts('status');
create trigger closes_kept_new after insert on closes
  referencing new table as added for each statement execute function keep_counts_of_new('state');
create trigger closes_kept after update on closes
  referencing old table as changed_from new table as changed_to
  for each statement execute function keep_counts('state');
create index closes_state on closes (state, state_at);
create index closes_mismatched on closes (invoice_id) where confirmed_at is not null and last_error is not null;
create index closes_held on closes (deadline) where state = 'held';

create function keep_sums_of_certificates() returns trigger language plpgsql as $$
begin
  insert into kept_sums (name, part, row_count, token_count)
  select 'close_certificates', '', count(*), sum(drift_token_count) from added having count(*) > 0;
  return null;
end $$;
create trigger close_certificates_summed after insert on close_certificates
  referencing new table as added for each statement execute function keep_sums_of_certificates();

-- Found without a look at what waits no longer.
create index meter_pushes_undivided on meter_pushes (status) where is_undivided;
create index hourly_usage_waiting on hourly_usage (quarantine_reason)
  where quarantine_reason is not null and late_item_id is null;

-- What waits after it was collected, without a look at the partitions of source items, however many there are.
create view held_usage_entries as
  select 'event-' || e.usage_event_id as quarantine_id, 'usage_event' as stage, e.quarantine_reason as reason,
    null::text as detail, e.event_time, e.subject, e.feature, e.model,
    (select customer_id from subjects where subjects.subject = e.subject) as customer_id,
    e.prompt_token_count + e.completion_token_count as token_count, true as is_counted, e.created_at as waiting_since,
    e.written_off_at, null::text as metric_name
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
  select quarantine_id, stage, reason, detail, event_time, subject, feature, model, customer_id, token_count, is_counted,
    waiting_since, written_off_at, metric_name from held_usage_entries;

insert into kept_sums (name, part, row_count, token_count)
select 'collected', '', (select count(*) from source_items where token_kind in ('prompt', 'completion') or counts_apart),
  (select coalesce(sum(token_count), 0) from source_items where token_kind in ('prompt', 'completion') or counts_apart)
    + (select coalesce(sum(token_count), 0) from dropped_item_days)
union all
select 'usage_events', status, count(*),
  coalesce(sum(prompt_token_count + completion_token_count) filter (where kind = 'usage'), 0) from usage_events group by status
union all
select 'hourly_usage', '', count(*), coalesce(sum(delta_token_count), 0) from hourly_usage
union all
select 'meter_pushes', concat_ws(' ', status, fate), count(*), sum(delta_token_count) from meter_pushes group by 2
union all
select 'settlements', status, count(*), 0 from settlements group by status
union all
select 'closes', state, count(*), 0 from closes group by state
union all
select 'close_certificates', '', count(*), coalesce(sum(drift_token_count), 0) from close_certificates;
insert into held_item_sums (reason, metric_name, collection_window_id, is_written_off, row_count, token_count,
  counted_row_count, counted_token_count, first_ingested_at)
select quarantine_reason, case when quarantine_reason = 'unknown_metric' then metric_name else '' end, collection_window_id,
  written_off_at is not null, count(*),
  coalesce(sum(token_count) filter (where token_kind in ('prompt', 'completion', 'unknown') or counts_apart), 0),
  count(*) filter (where token_kind in ('prompt', 'completion') or counts_apart),
  coalesce(sum(token_count) filter (where token_kind in ('prompt', 'completion') or counts_apart), 0), min(ingested_at)
from source_items where quarantine_reason is not null group by 1, 2, 3, 4;
