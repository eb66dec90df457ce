-- What was metered: the outbox of usage events, hours and their settlement, hourly usage.

create table usage_events (
  usage_event_id text primary key,
  window_start timestamptz not null,
  event_time timestamptz not null,
  subject text not null,
  feature text not null,
  model text not null,
  deployment text not null,
  -- As at the source: prompt includes cached, completion includes reasoning.
  prompt_token_count bigint not null,
  cached_prompt_token_count bigint not null,
  completion_token_count bigint not null,
  reasoning_token_count bigint not null,
  total_token_count bigint not null,
  request_count bigint not null,
  -- The final bytes of the CloudEvent, fixed before the first send.
  body text not null,
  status text not null default 'pending' check (status in ('pending', 'sent', 'confirmed', 'quarantined')),
  quarantine_reason text,
  attempt_count integer not null default 0,
  claimed_until timestamptz,
  sent_at timestamptz,
  created_at timestamptz not null,
  check ((status = 'quarantined') = (quarantine_reason is not null))
);
create index usage_events_pending on usage_events (created_at, usage_event_id) where status = 'pending';
create index usage_events_quarantined on usage_events (created_at) where status = 'quarantined';
create index usage_events_window on usage_events (window_start, status);

-- One row an hour. `event_version` counts the transactions that added events to the hour: a settlement
-- commits only if it is still the version it read.
create table settlements (
  window_start timestamptz primary key,
  status text not null default 'open' check (status in ('open', 'settled')),
  event_version bigint not null default 1,
  settled_version bigint,
  attempt_count integer not null default 0,
  next_attempt_at timestamptz,
  settled_at timestamptz
);
create index settlements_open on settlements (window_start) where status = 'open';

-- Settled usage. A row is never changed in its counts: late usage appends a revision with the difference.
create table hourly_usage (
  hourly_usage_id bigint generated always as identity primary key,
  window_start timestamptz not null,
  subject text not null,
  feature text not null,
  model text not null,
  deployment text not null,
  token_type text not null check (token_type in ('prompt', 'prompt_cached', 'completion')),
  revision integer not null,
  -- The hour's total at this revision, and what this revision added to the one before (may be negative).
  token_count bigint not null,
  delta_token_count bigint not null check (delta_token_count <> 0),
  customer_id text,
  meter_push_id bigint,
  quarantine_reason text,
  created_at timestamptz not null,
  unique (window_start, subject, feature, model, deployment, token_type, revision)
);
create index hourly_usage_unassigned on hourly_usage (window_start) where meter_push_id is null and quarantine_reason is null;
create index hourly_usage_quarantined on hourly_usage (quarantine_reason) where quarantine_reason is not null;
create index hourly_usage_push on hourly_usage (meter_push_id) where meter_push_id is not null;
create index hourly_usage_customer on hourly_usage (customer_id, window_start);
create index hourly_usage_subject on hourly_usage (subject, window_start);

-- What is shown beside tokens and never added to them: reasoning (a part of completion) and requests.
create table hourly_activity (
  window_start timestamptz not null,
  subject text not null,
  feature text not null,
  model text not null,
  deployment text not null,
  reasoning_token_count bigint not null,
  request_count bigint not null,
  updated_at timestamptz not null,
  primary key (window_start, subject, feature, model, deployment)
);

-- A difference between ledger and meter that the settle lag does not explain.
create table drifts (
  window_start timestamptz not null,
  meter_slug text not null,
  subject text not null,
  feature text not null,
  model text not null,
  deployment text not null,
  ledger_value bigint not null,
  metered_value bigint not null,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  resolved_at timestamptz,
  primary key (window_start, meter_slug, subject, feature, model, deployment)
);
