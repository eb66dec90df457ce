-- Late, changed and missing usage: hours divided at period boundaries, what is carried to the next invoice or
-- written off, rescans, and when each step last ran.

-- Where a billing period of a customer begins or ends inside an hour, cut to whole minutes (the next one, when
-- it lies within a minute). Kept for good: late usage of a past period is divided as its hour was.
create table period_boundaries (
  customer_id text not null references customers (customer_id),
  boundary_at timestamptz not null,
  first_seen_at timestamptz not null,
  primary key (customer_id, boundary_at)
);
create index period_boundaries_instant on period_boundaries (boundary_at);

-- A row covers a part of its hour: minutes [start, end). Nearly always the whole of it.
alter table hourly_usage
  add column part_start_minute smallint not null default 0,
  add column part_end_minute smallint not null default 60,
  -- What a reason alone does not say, e.g. why usage is carried to the next invoice.
  add column quarantine_detail text,
  -- Given up by a person; the row stays, with its reason.
  add column written_off_at timestamptz,
  add constraint hourly_usage_part check (part_start_minute >= 0 and part_start_minute < part_end_minute and part_end_minute <= 60);
do $$
declare name text;
begin
  for name in select conname from pg_constraint where conrelid = 'hourly_usage'::regclass and contype = 'u' loop
    execute format('alter table hourly_usage drop constraint %I', name);
  end loop;
end $$;
alter table hourly_usage add constraint hourly_usage_revision
  unique (window_start, subject, feature, model, deployment, token_type, part_start_minute, revision);
create index hourly_usage_divided on hourly_usage (window_start) where part_start_minute > 0 or part_end_minute < 60;

update hourly_usage set quarantine_detail = quarantine_reason, quarantine_reason = 'carry_to_next_invoice'
where quarantine_reason in ('period_finalized', 'older_than_stripe_takes');

alter table meter_pushes
  add column written_off_at timestamptz,
  -- The meter keeps one value an hour, and a period begins inside this one: it could not be divided.
  add column is_undivided boolean not null default false,
  -- Refused because nothing says whether Stripe counted it, and not because Stripe said no.
  add column is_unproven boolean not null default false,
  drop constraint meter_pushes_status_check,
  -- Withdrawn: refused for good, its usage was planned anew.
  add constraint meter_pushes_status_check check (status in ('pending', 'delivered', 'refused', 'withdrawn'));
update meter_pushes set is_unproven = true where status = 'refused' and last_error like 'outcome unknown%';

alter table usage_events add column written_off_at timestamptz;

-- A short name for a quarantined item, which it keeps when it is taken up.
create sequence quarantined_item_numbers;
alter table source_items
  add column written_off_at timestamptz,
  add column quarantine_number bigint;
update source_items set quarantine_number = nextval('quarantined_item_numbers') where quarantine_reason is not null;
create index source_items_quarantine_number on source_items (quarantine_number) where quarantine_number is not null;

create table rescans (
  rescan_id text primary key,
  window_start timestamptz not null,
  window_end timestamptz not null,
  requested_by text not null,
  status text not null default 'queued' check (status in ('queued', 'running', 'done', 'failed')),
  -- Everything before this instant has been looked at.
  done_until timestamptz not null,
  row_count bigint not null default 0,
  new_row_count bigint not null default 0,
  usage_event_count bigint not null default 0,
  quarantined_row_count bigint not null default 0,
  last_error text,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  check (window_start < window_end)
);
create index rescans_unfinished on rescans (created_at) where status in ('queued', 'running');

create table step_runs (
  step text primary key,
  last_started_at timestamptz,
  last_succeeded_at timestamptz,
  last_failed_at timestamptz,
  last_error text,
  last_duration_ms bigint,
  run_count bigint not null default 0,
  failed_count bigint not null default 0
);
