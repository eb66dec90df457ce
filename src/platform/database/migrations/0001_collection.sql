-- What was collected: source items (each kept once), the windows they came in, and the watermark.

create table watermarks (
  source text primary key,
  position timestamptz not null,
  updated_at timestamptz not null
);

create table collection_windows (
  collection_window_id bigint generated always as identity primary key,
  source text not null,
  cursor_kind text not null check (cursor_kind in ('ingestion', 'event')),
  window_start timestamptz not null,
  window_end timestamptz not null,
  row_count integer not null,
  new_row_count integer not null,
  usage_event_count integer not null,
  query_text text not null,
  collected_at timestamptz not null
);

-- Partitioned by the day of the event, so that retention drops whole partitions. The same item keeps its
-- event time however often it is ingested, so (event_day, id, metric) is unique for good.
create table source_items (
  event_day date not null,
  source_item_id text not null,
  metric_name text not null,
  event_time timestamptz,
  ingested_at timestamptz not null,
  subject text not null,
  tenant_key text not null,
  feature text not null,
  model text not null,
  deployment text not null,
  token_kind text not null check (token_kind in ('prompt', 'cached_prompt', 'completion', 'reasoning', 'total', 'unknown')),
  token_count bigint not null,
  request_count bigint not null,
  usage_event_id text,
  quarantine_reason text,
  -- The row as the source gave it; kept for quarantined rows only.
  raw jsonb,
  collection_window_id bigint not null,
  primary key (event_day, source_item_id, metric_name),
  check ((usage_event_id is null) <> (quarantine_reason is null))
) partition by range (event_day);

create table source_items_default partition of source_items default;
create index source_items_quarantined on source_items (quarantine_reason, event_day) where quarantine_reason is not null;
