-- What stands out of a customer's usage, and what people said of it.

-- What a customer used in an hour, from collected events, at the price of each token: kept as long as baselines look back.
create table anomaly_hours (
  window_start timestamptz not null,
  customer_id text not null,
  cost_pico_usd numeric(60, 0) not null,
  -- Tokens without a price are in no cost.
  unpriced_token_count bigint not null,
  top_user_cost_pico_usd numeric(60, 0) not null,
  top_user_request_count bigint not null,
  -- Collected long after the first of its hour.
  late_cost_pico_usd numeric(60, 0) not null,
  backfilled_cost_pico_usd numeric(60, 0) not null,
  request_count bigint not null,
  token_count bigint not null,
  user_count integer not null,
  primary key (window_start, customer_id)
);
create index anomaly_hours_customer on anomaly_hours (customer_id, window_start);

-- The same by day, with the highest of its hours.
create table anomaly_days (
  day date not null,
  customer_id text not null,
  cost_pico_usd numeric(60, 0) not null,
  top_user_cost_pico_usd numeric(60, 0) not null,
  top_user_request_count bigint not null,
  request_count bigint not null,
  primary key (day, customer_id)
);

-- Up to which of their events hours are summed, at which prices.
create table anomaly_summed_hours (
  window_start timestamptz primary key,
  event_version bigint not null,
  price_book_version text not null,
  summed_at timestamptz not null,
  -- Null: it is still to be judged.
  judged_at timestamptz
);
create index anomaly_summed_hours_unjudged on anomaly_summed_hours (window_start) where judged_at is null;

create table anomaly_customers (
  customer_id text primary key,
  first_hour timestamptz not null
);

-- Usage of a subject that moved to another customer is summed again.
create table anomaly_subjects_due (
  subject text primary key
);
create function note_subjects_of_anomalies() returns trigger language plpgsql as $$
begin
  insert into anomaly_subjects_due (subject)
  select after.subject from changed_to as after join changed_from as before using (subject)
  where after.customer_id is distinct from before.customer_id order by after.subject
  on conflict (subject) do nothing;
  return null;
end $$;
create trigger subjects_of_anomalies after update on subjects
  referencing old table as changed_from new table as changed_to
  for each statement execute function note_subjects_of_anomalies();

create table anomaly_findings (
  anomaly_finding_id bigint generated always as identity primary key,
  customer_id text not null,
  -- Of its hours, above the usual by either rule.
  first_hour timestamptz not null,
  last_hour timestamptz not null,
  -- open: it may go on; ended: it goes on no longer; withdrawn: later data undid it.
  state text not null check (state in ('open', 'ended', 'withdrawn')),
  -- Null: by the rule of two sigmas alone.
  shape text,
  explanations text[] not null default '{}',
  -- A person needs to look: since when.
  raised_at timestamptz,
  -- What moved while the rest held: dimension, value, share in per cent.
  moved jsonb not null default '[]',
  cost_pico_usd numeric(60, 0) not null,
  usual_pico_usd numeric(60, 0) not null,
  excess_pico_usd numeric(60, 0) not null,
  day_ahead_pico_usd numeric(60, 0) not null,
  -- The highest of each rule, as decimal text; null: too little is known.
  score text,
  sigma_score text,
  is_above_sigma boolean not null,
  opened_at timestamptz not null,
  changed_at timestamptz not null,
  ended_at timestamptz,
  decision text check (decision in ('acknowledged', 'dismissed')),
  decision_reason text,
  decided_by text,
  decided_at timestamptz,
  snoozed_until timestamptz,
  check ((decision is null) = (decided_at is null)),
  check ((state = 'open') = (ended_at is null))
);
create index anomaly_findings_customer on anomaly_findings (customer_id, last_hour desc);
create index anomaly_findings_open on anomaly_findings (last_hour) where state = 'open';
create index anomaly_findings_raised on anomaly_findings (raised_at) where raised_at is not null;

create table anomaly_finding_hours (
  anomaly_finding_id bigint not null references anomaly_findings (anomaly_finding_id) on delete cascade,
  window_start timestamptz not null,
  -- Of the robust rule; empty: by the rule of two sigmas alone.
  moved text not null,
  excess_pico_usd numeric(60, 0) not null,
  usual_pico_usd numeric(60, 0) not null,
  usual_cost_pico_usd numeric(60, 0) not null,
  usual_request_count bigint not null,
  usual_token_count bigint not null,
  usual_user_count integer not null,
  primary key (anomaly_finding_id, window_start)
);
create index anomaly_finding_hours_start on anomaly_finding_hours (window_start);
