-- What usage cost, by day and customer, and what it would have cost.

-- Throughput bought by the hour for a deployment. History is not edited: a later row of the same deployment ends the
-- one before it, and the row says who wrote it. No units: nothing is bought from then on.
create table provisioned_capacity (
  provisioned_capacity_id text primary key,
  deployment text not null,
  valid_from timestamptz not null,
  -- Not included; null: until further notice.
  valid_until timestamptz,
  unit_count integer not null check (unit_count >= 0),
  unit_increment integer not null check (unit_increment > 0),
  -- Decimal text in USD.
  hourly_usd_per_unit text not null,
  reserved_unit_count integer not null check (reserved_unit_count between 0 and unit_count),
  reserved_hourly_usd_per_unit text,
  tokens_per_minute_per_unit bigint not null check (tokens_per_minute_per_unit > 0),
  completion_weight text not null,
  cached_weight text not null,
  idle_policy text not null check (idle_policy in ('overhead', 'spread')),
  note text not null,
  -- Days up to this hour have been handed to rating: an hour costs although nobody used it.
  noticed_until timestamptz not null,
  created_by text not null,
  created_at timestamptz not null,
  check (valid_until is null or valid_from < valid_until),
  check ((reserved_unit_count > 0) = (reserved_hourly_usd_per_unit is not null))
);
create unique index provisioned_capacity_start on provisioned_capacity (deployment, valid_from);

-- The cost of a day, derived from hourly usage, prices and capacity. The rows of a day are replaced together, and
-- `cost_days` counts how often; a day that is rated again because prices changed leaves its totals in the audit log.
create table daily_costs (
  day date not null,
  -- `tokens`: priced by the token; `provisioned`: a share of capacity; `idle`: capacity that nobody is charged for.
  kind text not null check (kind in ('tokens', 'provisioned', 'idle')),
  -- Null: nobody's (yet).
  customer_id text,
  model text not null,
  feature text not null,
  deployment text not null,
  token_type text check (token_type in ('prompt', 'prompt_cached', 'completion')),
  token_count bigint not null,
  -- Null when it is unknown, with the reason: never zero for want of a price.
  cost_pico_usd numeric(60, 0),
  reason text,
  -- The price or the capacity it rests on.
  price_reference text,
  price_notes text[] not null default '{}',
  price_book_version text not null,
  rated_at timestamptz not null,
  check ((cost_pico_usd is null) = (reason is not null)),
  check ((kind = 'idle') = (token_type is null))
);
create index daily_costs_day on daily_costs (day, customer_id);
create index daily_costs_customer on daily_costs (customer_id, day);
create index daily_costs_unknown on daily_costs (day) where cost_pico_usd is null;

create table cost_days (
  day date primary key,
  revision bigint not null,
  token_count bigint not null default 0,
  known_cost_pico_usd numeric(60, 0) not null default 0,
  unknown_token_count bigint not null default 0,
  price_book_version text not null,
  rated_at timestamptz not null
);

-- Days whose cost may be another than what is stored. Each note has a number of its own: a rating removes the note
-- that it has read, never one that came meanwhile.
create sequence cost_notes;
create table cost_days_due (
  day date primary key,
  note bigint not null default nextval('cost_notes'),
  -- Null: new usage or passing time. Else why rated days change: audited.
  cause text,
  noted_at timestamptz not null default now()
);
create table cost_subjects_due (
  subject text primary key,
  note bigint not null default nextval('cost_notes')
);

-- Whoever adds settled usage, adds a note in the same transaction: the rating needs no scan to find it.
create function note_usage_to_rate() returns trigger language plpgsql as $$
begin
  insert into cost_days_due as due (day)
  select distinct (window_start at time zone 'UTC')::date as day from added order by day
  on conflict (day) do update set note = nextval('cost_notes');
  return null;
end $$;
create trigger hourly_usage_to_rate after insert on hourly_usage
  referencing new table as added for each statement execute function note_usage_to_rate();

-- Usage that no push carries yet moves with its subject to another customer.
create function note_subjects_to_rate() returns trigger language plpgsql as $$
begin
  insert into cost_subjects_due as due (subject)
  select after.subject from changed_to as after join changed_from as before using (subject)
  where after.customer_id is distinct from before.customer_id order by after.subject
  on conflict (subject) do update set note = nextval('cost_notes');
  return null;
end $$;
create trigger subjects_to_rate after update on subjects
  referencing old table as changed_from new table as changed_to
  for each statement execute function note_subjects_to_rate();

insert into cost_days_due (day) select distinct (window_start at time zone 'UTC')::date from hourly_usage;

-- Noted: its days wait to be rated again. Done: they were.
alter table rerating_requests add column noted_at timestamptz;

-- A stored answer to "what if". Results of customers are rows of their own: there may be any number.
create table simulations (
  simulation_id text primary key,
  status text not null check (status in ('running', 'done', 'failed')),
  request jsonb not null,
  window_start timestamptz not null,
  window_end timestamptz not null,
  price_book_version text not null,
  result jsonb,
  last_error text,
  created_by text not null,
  created_at timestamptz not null,
  finished_at timestamptz
);
create table simulation_customers (
  simulation_id text not null references simulations (simulation_id) on delete cascade,
  -- In the order in which they were rated; empty text: nobody's usage.
  customer_id text not null,
  currency text not null,
  -- One entry for the baseline and for each scenario, in their order; minor units and pico-USD as decimal text.
  figures jsonb not null,
  -- Of the scenarios, in their order: the margin beyond the baseline's, pico of the minor unit; null: unknown.
  margin_deltas numeric(60, 0)[] not null,
  primary key (simulation_id, customer_id, currency)
);
