-- What usage may come to in a time, and what is done at which share of it.
create table budgets (
  budget_id text primary key,
  name text not null,
  scope text not null check (scope in ('all', 'customer', 'feature', 'user')),
  customer_id text references customers (customer_id),
  feature text,
  subject text,
  -- Each user of the scope has this limit for itself.
  per_user boolean not null,
  period text not null check (period in ('day', 'week', 'month', 'rolling_days', 'billing_period')),
  rolling_day_count integer,
  measure text not null check (measure in ('cost', 'revenue', 'tokens', 'calls')),
  -- Null: tokens and calls have none.
  currency text,
  limit_amount_pico numeric(60, 0) check (limit_amount_pico > 0),
  limit_count bigint check (limit_count > 0),
  -- What is done at which share, see pricing/budgets/budget.ts.
  steps jsonb not null,
  -- More, for one time: how much, until when, in which window.
  grace jsonb,
  created_at timestamptz not null,
  created_by text not null,
  changed_at timestamptz not null,
  ended_at timestamptz,
  ended_by text,
  -- From which hour on its usage is summed; null: it is summed anew.
  summed_from timestamptz,
  -- From when on it is judged although nothing new was collected: its window turns, its grace ends, its forecast is old.
  judge_at timestamptz not null,
  check ((scope in ('customer', 'user')) = (customer_id is not null)),
  check ((scope = 'feature') = (feature is not null)),
  check ((scope = 'user') = (subject is not null)),
  check (scope <> 'user' or not per_user),
  check (period <> 'billing_period' or scope in ('customer', 'user')),
  check ((period = 'rolling_days') = (rolling_day_count is not null)),
  check ((measure in ('cost', 'revenue')) = (currency is not null)),
  check ((measure in ('cost', 'revenue')) = (limit_amount_pico is not null)),
  check ((measure in ('tokens', 'calls')) = (limit_count is not null)),
  check ((ended_at is null) = (ended_by is null))
);
create index budgets_of_customer on budgets (customer_id) where customer_id is not null;

-- What counts towards a budget in an hour, from collected events, settled or not. A holder is one user of a budget whose users have
-- its limit each for themselves; else customer and subject are empty. Revenue is worked out from tokens by their kind.
create table budget_hours (
  budget_id text not null references budgets (budget_id),
  customer_id text not null,
  subject text not null,
  window_start timestamptz not null,
  -- Of revenue alone: whose usage of which kind it is.
  payer_id text not null default '',
  model text not null default '',
  feature text not null default '',
  token_type text not null default '',
  amount numeric(60, 0) not null,
  -- Tokens without a price are in no cost.
  unpriced_token_count bigint not null,
  primary key (budget_id, customer_id, subject, window_start, payer_id, model, feature, token_type)
);
create index budget_hours_start on budget_hours (window_start);

-- Up to which of their events hours are summed, at which prices.
create table budget_summed_hours (
  window_start timestamptz primary key,
  event_version bigint not null,
  price_change_id bigint not null
);

-- Usage of a subject that moved to another customer is summed again; where there is no budget, nobody asks.
create table budget_subjects_due (
  subject text primary key
);
create function note_subjects_of_budgets() returns trigger language plpgsql as $$
begin
  if exists (select from budgets where ended_at is null) then
    insert into budget_subjects_due (subject)
    select after.subject from changed_to as after join changed_from as before using (subject)
    where after.customer_id is distinct from before.customer_id order by after.subject
    on conflict (subject) do nothing;
  end if;
  return null;
end $$;
create trigger subjects_of_budgets after update on subjects
  referencing old table as changed_from new table as changed_to
  for each statement execute function note_subjects_of_budgets();

-- Where each holder of a budget stands, and stood.
create table budget_windows (
  budget_id text not null references budgets (budget_id),
  customer_id text not null,
  subject text not null,
  window_start timestamptz not null,
  window_end timestamptz not null,
  -- Pico of the budget's currency, or a count; so are all amounts of a holder.
  used numeric(60, 0) not null,
  -- With a grace, while it holds.
  effective_limit numeric(60, 0) not null,
  unpriced_token_count bigint not null,
  -- Why `used` does not tell all: null where it does.
  unknown_reason text check (unknown_reason in ('no_exchange_rate', 'exchange_rate_too_old')),
  -- What will have been used at the end of the window; null: the reason says why.
  forecast numeric(60, 0),
  forecast_reason text check (forecast_reason in ('too_little_history', 'period_is_over', 'not_asked', 'cost_unknown')),
  -- What is used in an hour, of late.
  hourly_rate numeric(60, 0) not null,
  -- Up to where the source was collected then; null: never.
  known_until timestamptz,
  judged_at timestamptz not null,
  primary key (budget_id, customer_id, subject, window_start)
);
create index budget_windows_start on budget_windows (budget_id, window_start, used);
create index budget_windows_of_customer on budget_windows (customer_id, window_end) where customer_id <> '';

-- A step that was reached: open until it is withdrawn or its window is over.
create table budget_step_events (
  budget_step_event_id bigint generated always as identity primary key,
  budget_id text not null references budgets (budget_id),
  customer_id text not null,
  subject text not null,
  window_start timestamptz not null,
  window_end timestamptz not null,
  -- Which step it is, whatever else of it changes: on, share and action.
  step_key text not null,
  step jsonb not null,
  reached_at timestamptz not null,
  used numeric(60, 0) not null,
  forecast numeric(60, 0),
  effective_limit numeric(60, 0) not null,
  known_until timestamptz,
  withdrawn_at timestamptz,
  withdrawn_reason text check (withdrawn_reason in ('less_used', 'changed', 'grace', 'overridden', 'ended')),
  -- An operator lets it be for a time.
  lifted_until timestamptz,
  lifted_by text,
  check ((withdrawn_at is null) = (withdrawn_reason is null)),
  check ((lifted_until is null) = (lifted_by is null))
);
create unique index budget_step_events_standing on budget_step_events (budget_id, customer_id, subject, window_start, step_key)
  where withdrawn_at is null;
create index budget_step_events_open on budget_step_events (window_end) where withdrawn_at is null;
create index budget_step_events_withdrawn on budget_step_events (withdrawn_at) where withdrawn_at is not null;
create index budget_step_events_of_budget on budget_step_events (budget_id, budget_step_event_id);
