-- The service around the pipeline: keys, quotes, webhooks, leases, audit.

create table api_keys (
  api_key_id text primary key,
  key_hash text not null unique,
  name text not null,
  scopes text[] not null,
  created_at timestamptz not null,
  last_used_at timestamptz,
  revoked_at timestamptz
);

create table quotes (
  quote_id text primary key,
  request jsonb not null,
  result jsonb not null,
  price_book_version text not null,
  created_by text not null,
  created_at timestamptz not null
);

create table webhook_events (
  webhook_event_id text primary key,
  provider text not null,
  event_type text not null,
  related_object_id text,
  payload jsonb not null,
  received_at timestamptz not null,
  processed_at timestamptz
);
create index webhook_events_pending on webhook_events (received_at) where processed_at is null;

-- One runner per step: every commit of the step checks that its token is still the one in the row.
create table step_leases (
  step text primary key,
  lease_token text not null,
  expires_at timestamptz not null
);

create table audit_log (
  audit_id bigint generated always as identity primary key,
  actor text not null,
  action text not null,
  target text not null,
  details jsonb not null,
  created_at timestamptz not null
);
