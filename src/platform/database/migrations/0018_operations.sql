-- What operations must be able to see and do: reports of lost usage, leases, the queue, retention.

-- When the samples of a report of meter errors were read.
alter table webhook_events add column samples_read_at timestamptz;
update webhook_events set samples_read_at = reconciled_at where event_type like 'v1.billing.meter.%';
create index webhook_events_samples on webhook_events (received_at)
  where samples_read_at is null and event_type like 'v1.billing.meter.%';

-- Who holds a step, and since when: a lock that does not come free must be seen.
alter table step_leases
  add column holder text not null default 'unknown',
  add column acquired_at timestamptz not null default now();

-- The queue as its workers last saw it; any process can tell it. One row for each queue.
create table queue_states (
  queue text primary key,
  backend text not null check (backend in ('redis', 'postgres')),
  -- When its counts were last read; null before the first time.
  observed_at timestamptz,
  waiting_count bigint not null default 0,
  active_count bigint not null default 0,
  delayed_count bigint not null default 0,
  failed_count bigint not null default 0,
  oldest_waiting_at timestamptz,
  -- Why it takes no work, and since when; null while it does.
  error text check (error in ('QUEUE_FULL', 'QUEUE_UNREACHABLE')),
  failing_since timestamptz,
  check ((error is null) = (failing_since is null))
);

-- Retention. Days whose single items were dropped, once everything of them was billed; what they added up to stays.
create table dropped_item_days (
  event_day date primary key,
  item_count bigint not null,
  token_count bigint not null,
  dropped_at timestamptz not null
);

-- As source_items had it: prompt includes cached.
create table dropped_item_sums (
  window_start timestamptz not null,
  subject text not null,
  feature text not null,
  model text not null,
  deployment text not null,
  prompt_token_count bigint not null,
  cached_prompt_token_count bigint not null,
  completion_token_count bigint not null,
  first_ingested_at timestamptz not null,
  primary key (window_start, subject, feature, model, deployment)
);

-- The control's items by day as well, so that whole days can go.
alter table control_items rename to control_items_before;
alter table control_items_before rename constraint control_items_pkey to control_items_before_pkey;
alter index control_items_time rename to control_items_before_time;
create table control_items (like control_items_before including defaults including constraints,
  primary key (source, event_day, source_item_id, metric_name)) partition by range (event_day);
create table control_items_default partition of control_items default;
do $$
declare day date;
begin
  for day in select distinct event_day from control_items_before where event_day > now()::date - 400 loop
    execute format('create table %I partition of control_items for values from (%L) to (%L)',
      'control_items_' || to_char(day, 'YYYYMMDD'), day, day + 1);
  end loop;
end $$;
insert into control_items select * from control_items_before;
drop table control_items_before;
create index control_items_time on control_items (event_time);
