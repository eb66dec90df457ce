-- What the retail price list said, and what waits for a person.

-- What a meter of the list is, said by a person; above the rows of the mapping file. The latest row of a meter holds.
create table retail_meter_rows (
  retail_meter_row_id bigint generated always as identity primary key,
  meter_id text not null,
  -- Null: the meter means nothing (any more), whatever the file says.
  model text,
  deployment_type text,
  region text,
  token_type text,
  note text not null,
  mapped_by text not null,
  mapped_at timestamptz not null,
  check ((model is null) = (deployment_type is null) and (model is null) = (region is null)
    and (model is null) = (token_type is null))
);
create index retail_meter_rows_latest on retail_meter_rows (meter_id, retail_meter_row_id desc);

-- One synchronization. A run that failed applied nothing.
create table price_sync_runs (
  price_sync_run_id text primary key,
  requested_by text not null,
  status text not null default 'queued' check (status in ('queued', 'running', 'done', 'failed')),
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  last_error text,
  page_count integer,
  item_count integer,
  ignored_count integer,
  unchanged_count integer,
  applied_count integer,
  waiting_count integer,
  -- The book before and after; the same when nothing was applied.
  book_version_before text,
  book_version_after text
);
create index price_sync_runs_unfinished on price_sync_runs (created_at) where status in ('queued', 'running');
create index price_sync_runs_done on price_sync_runs (finished_at desc) where status = 'done';

-- Mapped meters of the last list: one that is missing from the next has disappeared.
create table retail_meters_seen (
  meter_id text primary key,
  meter_name text not null,
  last_seen_at timestamptz not null
);

-- What the list said that is not in the book: applied by the run, or for a person to decide.
create table price_sync_items (
  price_sync_item_id bigint generated always as identity primary key,
  -- The price or meter that it is about, and what was said; alike from run to run.
  subject text not null,
  fingerprint text not null,
  verdict text not null check (verdict in
    ('small_change', 'large_change', 'new_price', 'unmapped', 'unusable', 'disappeared')),
  reason text,
  meter_id text not null,
  meter_name text not null,
  product_name text not null,
  unit_of_measure text not null,
  retail_price text not null,
  currency text not null,
  regions text[] not null,
  model text,
  deployment_type text,
  region text,
  token_type text,
  -- Pico units of the currency for one token, image, second or hour.
  old_pico_per_unit numeric(40, 0),
  new_pico_per_unit numeric(40, 0),
  listed_from timestamptz,
  effective_from timestamptz,
  is_retroactive boolean not null,
  -- Withdrawn: the list, the map or the book came to say something else before anybody decided.
  status text not null check (status in ('applied', 'pending', 'accepted', 'rejected', 'withdrawn')),
  first_run_id text not null references price_sync_runs (price_sync_run_id),
  last_run_id text not null references price_sync_runs (price_sync_run_id),
  found_at timestamptz not null,
  seen_at timestamptz not null,
  decided_by text,
  decided_at timestamptz,
  decision_reason text,
  check ((status in ('accepted', 'rejected')) = (decided_by is not null))
);
create unique index price_sync_items_pending on price_sync_items (subject) where status = 'pending';
create index price_sync_items_rejected on price_sync_items (subject, fingerprint) where status = 'rejected';
create index price_sync_items_run on price_sync_items (first_run_id);
