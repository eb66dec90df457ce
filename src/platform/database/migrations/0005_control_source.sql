-- The second source: what a request's log says beside its counts, and a control that never bills.

-- Facts of the request that a row stands for; null for metric rows, which stand for no single request.
alter table source_items add column request_facts jsonb;

-- The other source's rows, kept to be compared and nothing else: no step that bills reads this table. An item
-- is replaced by its later reading while it has a fault, as one whose gateway log came late.
create table control_items (
  source text not null,
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
  fault text,
  request_facts jsonb,
  collected_at timestamptz not null,
  primary key (source, event_day, source_item_id, metric_name)
);
create index control_items_time on control_items (event_time);

-- Apart from `watermarks`, which say up to when the usage that bills is known.
create table control_watermarks (
  source text primary key,
  position timestamptz not null,
  updated_at timestamptz not null
);
