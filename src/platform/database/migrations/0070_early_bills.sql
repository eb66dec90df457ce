-- A step of a budget that bills early, for each subscription of the customer: what Stripe is asked for, and what came of it. Without a
-- subscription it cannot be.
create table early_bills (
  early_bill_id bigint generated always as identity primary key,
  budget_step_event_id bigint not null references budget_step_events (budget_step_event_id),
  customer_id text not null references customers (customer_id),
  subscription_id text,
  -- wanted: nobody was asked; asking: committed, perhaps sent; asked: Stripe has the threshold; billed: it made the invoice.
  state text not null check (state in ('wanted', 'asking', 'asked', 'billed', 'ended', 'cannot')),
  -- Why it cannot be, or ended without an invoice.
  reason text,
  problem text,
  currency text,
  amount_gte_minor bigint check (amount_gte_minor > 0),
  asked_at timestamptz,
  -- The threshold is at Stripe, or may be, and is to be taken away.
  is_set boolean not null default false,
  invoice_id text,
  wanted_at timestamptz not null,
  decided_at timestamptz,
  check ((state in ('ended', 'cannot')) = (reason is not null)),
  check ((state in ('billed', 'ended', 'cannot')) = (decided_at is not null)),
  check ((state = 'billed') = (invoice_id is not null)),
  check (subscription_id is not null or state = 'cannot'),
  check (not is_set or (amount_gte_minor is not null and asked_at is not null)),
  unique nulls not distinct (budget_step_event_id, subscription_id)
);
create index early_bills_open on early_bills (early_bill_id) where state in ('wanted', 'asking', 'asked') or is_set;
create index invoices_instalments on invoices (subscription_id, period_start) where is_instalment;
