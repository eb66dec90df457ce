-- Who is billed, through what, and what was pushed.

create table customers (
  customer_id text primary key,
  stripe_customer_id text unique,
  -- Value of the tenant dimension whose users belong to this customer.
  tenant_key text unique,
  name text not null,
  currency text,
  deleted_at timestamptz,
  synced_at timestamptz not null
);

create table subjects (
  subject text primary key,
  -- Tenant dimension the subject was first seen with ('' when none).
  tenant_key text not null,
  customer_id text references customers (customer_id),
  assigned_by text check (assigned_by in ('tenant', 'person')),
  first_seen_at timestamptz not null,
  updated_at timestamptz not null,
  check ((customer_id is null) = (assigned_by is null))
);
create index subjects_customer on subjects (customer_id);
create index subjects_unassigned on subjects (tenant_key) where customer_id is null;

create table stripe_meters (
  stripe_meter_id text primary key,
  event_name text not null,
  display_name text not null,
  aggregation text not null,
  event_time_window text check (event_time_window in ('hour', 'day')),
  status text not null,
  synced_at timestamptz not null
);

create table subscription_items (
  subscription_item_id text primary key,
  subscription_id text not null,
  subscription_status text not null,
  customer_id text not null references customers (customer_id),
  price_id text not null,
  product_name text not null,
  currency text not null,
  -- Minor units per token, as decimal text; null for tiered prices.
  unit_amount_decimal text,
  stripe_meter_id text references stripe_meters (stripe_meter_id),
  current_period_start timestamptz not null,
  current_period_end timestamptz not null,
  active boolean not null,
  synced_at timestamptz not null
);
create index subscription_items_customer on subscription_items (customer_id, stripe_meter_id) where active;

-- Which usage feeds which Stripe meter. '*' matches any model or feature; the more exact binding wins.
create table meter_bindings (
  model text not null,
  token_type text not null check (token_type in ('prompt', 'prompt_cached', 'completion')),
  feature text not null,
  stripe_meter_id text not null references stripe_meters (stripe_meter_id),
  synced_at timestamptz not null,
  primary key (model, token_type, feature)
);

create table invoices (
  invoice_id text primary key,
  customer_id text not null references customers (customer_id),
  subscription_id text,
  status text not null,
  number text,
  currency text not null,
  total_minor bigint not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  synced_at timestamptz not null
);
create index invoices_customer on invoices (customer_id, period_end);

-- One meter event to Stripe. Committed before the call; value and identifier never change.
create table meter_pushes (
  meter_push_id bigint generated always as identity primary key,
  customer_id text not null references customers (customer_id),
  stripe_customer_id text not null,
  stripe_meter_id text not null,
  event_name text not null,
  window_start timestamptz not null,
  revision integer not null,
  -- What this push adds, the hour's total with it, and what is sent: the delta to raw meters, the total to
  -- meters with an hour window.
  delta_token_count bigint not null,
  total_token_count bigint not null,
  sent_value bigint not null,
  event_timestamp timestamptz not null,
  identifier text not null unique,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'refused')),
  attempt_count integer not null default 0,
  first_attempt_at timestamptz,
  last_error text,
  created_at timestamptz not null,
  delivered_at timestamptz,
  unique (customer_id, stripe_meter_id, window_start, revision)
);
create index meter_pushes_pending on meter_pushes (meter_push_id) where status = 'pending';
create index meter_pushes_refused on meter_pushes (customer_id) where status = 'refused';
create index meter_pushes_customer on meter_pushes (customer_id, window_start);
