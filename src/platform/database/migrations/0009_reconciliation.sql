-- Reconciliation: what was held against what, when, and what differed.

-- Reads of Stripe's event summaries are rationed by Stripe; counted here so that no restart forgets them.
create table stripe_reads (
  read_on date not null,
  -- `routine`: a sample; `doubt`: something gave reason to look.
  purpose text not null check (purpose in ('routine', 'doubt')),
  read_count integer not null default 0,
  primary key (read_on, purpose)
);

-- One customer and meter. Pushes delivered by `agreed_at` were in a total on which Stripe agreed.
create table billing_checks (
  customer_id text not null references customers (customer_id),
  stripe_meter_id text not null,
  checked_at timestamptz,
  agreed_at timestamptz,
  -- Something gives reason to look: then, and why.
  next_check_at timestamptz,
  doubt text,
  primary key (customer_id, stripe_meter_id),
  check ((next_check_at is null) = (doubt is null))
);
create index billing_checks_doubt on billing_checks (next_check_at) where next_check_at is not null;

-- An hour in which Stripe's sum differs from what it acknowledged.
create table billing_drifts (
  customer_id text not null references customers (customer_id),
  stripe_meter_id text not null,
  window_start timestamptz not null,
  acknowledged_value bigint not null,
  counted_value bigint not null,
  class text not null check (class in ('push_unconfirmed', 'refused_by_stripe', 'counted_twice', 'unexplained')),
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  resolved_at timestamptz,
  primary key (customer_id, stripe_meter_id, window_start)
);
create index billing_drifts_open on billing_drifts (window_start) where resolved_at is null;

-- What an invoice bills of a meter, as far as its lines came with it. Costs no read: the catalog brings it.
create table invoice_quantities (
  invoice_id text not null references invoices (invoice_id) on delete cascade,
  customer_id text not null references customers (customer_id),
  stripe_meter_id text not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  quantity bigint not null,
  -- When this quantity was first read, or the invoice was first seen no draft any more; and when it was last read.
  changed_at timestamptz not null,
  seen_at timestamptz not null,
  judged_at timestamptz,
  -- Whether it is what the delivered pushes of the period say, as far as Stripe could know of them by then.
  agrees boolean,
  primary key (invoice_id, stripe_meter_id, period_start)
);
create index invoice_quantities_customer on invoice_quantities (customer_id, stripe_meter_id, period_start);

alter table meter_pushes
  -- Takes back what this push had added: Stripe had lost it, it was pushed anew, and then both appeared.
  add column offsets_push_id bigint references meter_pushes (meter_push_id);
create index meter_pushes_offsets on meter_pushes (created_at) where offsets_push_id is not null;
create index meter_pushes_meter on meter_pushes (customer_id, stripe_meter_id, window_start);

-- When a report of meter errors was taken up.
alter table webhook_events add column reconciled_at timestamptz;
create index webhook_events_reports on webhook_events (received_at)
  where reconciled_at is null and event_type like 'v1.billing.meter.%';

alter table settlements add column reconciled_at timestamptz;
create index settlements_reconciled on settlements (reconciled_at nulls first) where status = 'settled';

-- A reconciliation that somebody asked for.
create table reconciliations (
  reconciliation_id text primary key,
  window_start timestamptz not null,
  window_end timestamptz not null,
  customer_id text references customers (customer_id),
  requested_by text not null,
  status text not null default 'queued' check (status in ('queued', 'running', 'done', 'failed')),
  result jsonb,
  last_error text,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  check (window_start < window_end)
);
create index reconciliations_unfinished on reconciliations (created_at) where status in ('queued', 'running');
