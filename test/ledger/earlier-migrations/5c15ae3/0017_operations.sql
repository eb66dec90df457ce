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
