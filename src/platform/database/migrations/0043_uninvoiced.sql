-- Delivered is not invoiced: a push waits until an invoice that has it is final, and is told when none will.
-- What there is counts as invoiced, as it always did: nothing of it is billed again. It is the default only for now, so
-- that the table need not be written anew.
alter table meter_pushes
  -- Null: it waits for its invoice.
  add column fate text default 'invoiced' check (fate in ('invoiced', 'uninvoiced')),
  -- The invoice that has it; null where that was before this column.
  add column invoice_id text;
alter table meter_pushes alter column fate drop default;
update meter_pushes p set fate = null
where p.status <> 'delivered'
  or exists (select 1 from subscription_items i
    where i.customer_id = p.customer_id and i.stripe_meter_id = p.stripe_meter_id and i.active
      and p.event_timestamp >= i.current_period_start)
  or exists (select 1 from invoices v
    where v.customer_id = p.customer_id and v.status = 'draft' and p.event_timestamp >= v.period_start
      and p.event_timestamp < v.period_end);
create index meter_pushes_awaiting on meter_pushes (customer_id, stripe_meter_id, event_timestamp)
  where status = 'delivered' and fate is null;

alter table invoices
  -- When pushes, or late items, were first told to be on it; null: none are.
  add column placed_at timestamptz,
  -- Minor units that credit notes gave back.
  add column credited_minor bigint not null default 0;
update invoices set placed_at = synced_at where status in ('open', 'paid', 'uncollectible');
create index invoices_taken_back on invoices (invoice_id)
  where placed_at is not null and (status in ('void', 'deleted', 'uncollectible') or credited_minor > 0);

-- What is to become of the usage of an invoice that was voided, credited in full or given up as uncollectible. Said once.
create table invoice_choices (
  invoice_id text primary key references invoices (invoice_id),
  choice text not null check (choice in ('invoiced', 'due_again', 'written_off')),
  decided_by text not null,
  decided_reason text not null,
  decided_at timestamptz not null
);

-- Delivered usage that no invoice has and none will have by itself, by customer, meter, period and reason.
create table uninvoiced_usage (
  uninvoiced_id bigint generated always as identity primary key,
  customer_id text not null references customers (customer_id),
  stripe_meter_id text not null,
  subscription_id text,
  -- The invoice that would have had it, or had it.
  invoice_id text references invoices (invoice_id),
  -- The item of that invoice that it was.
  late_item_id bigint references late_items (late_item_id),
  reason text not null check (reason in ('subscription_cancelled', 'customer_deleted', 'price_swapped', 'item_removed',
    'no_invoice', 'missing_on_invoice', 'in_trial', 'draft_deleted', 'invoice_voided', 'invoice_credited',
    'invoice_uncollectible')),
  period_start timestamptz not null,
  period_end timestamptz not null,
  token_count bigint not null,
  -- taken_up: it is an item of a later invoice; invoiced: a person says that it is billed as it was.
  state text not null default 'open' check (state in ('open', 'due_again', 'taken_up', 'written_off', 'invoiced')),
  found_at timestamptz not null,
  decided_by text,
  decided_reason text,
  decided_at timestamptz,
  check (period_start < period_end)
);
create index uninvoiced_usage_open on uninvoiced_usage (customer_id, stripe_meter_id) where state in ('open', 'due_again');
create index uninvoiced_usage_invoice on uninvoiced_usage (invoice_id) where invoice_id is not null;

-- Its rows leave their push, which Stripe's meter counts all the same; on an item of a later invoice they keep their group.
alter table hourly_usage
  add column uninvoiced_id bigint references uninvoiced_usage (uninvoiced_id),
  add column former_push_id bigint references meter_pushes (meter_push_id),
  add constraint hourly_usage_uninvoiced check (
    uninvoiced_id is null or (meter_push_id is null and quarantine_reason is not null));
create index hourly_usage_uninvoiced_group on hourly_usage (uninvoiced_id) where uninvoiced_id is not null;

-- An item of an invoice that was voided, credited or given up is none any more.
alter table late_items drop constraint late_items_state_check,
  add constraint late_items_state_check check (state in ('planned', 'created', 'invoiced', 'taken_back'));
