-- What customers read of an invoice, and what it rests on.

-- An invoice as it was last read with all of its lines. Once final it is read no more.
create table invoice_readings (
  invoice_id text primary key references invoices (invoice_id) on delete cascade,
  read_at timestamptz not null,
  status text not null,
  -- Minor units; the total is after discounts, credits and taxes.
  total_minor bigint not null,
  -- What is left to pay; null where the reading did not say.
  amount_due_minor bigint
);

create table invoice_lines (
  invoice_id text not null references invoice_readings (invoice_id) on delete cascade,
  line_id text not null,
  -- Stripe's own order.
  position integer not null,
  description text not null,
  subscription_item_id text,
  price_id text,
  -- The item's meter when the line was first read: an item may get another price later.
  stripe_meter_id text,
  quantity bigint,
  unit_amount_decimal text,
  amount_minor bigint not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  -- Set for a line that no subscription made.
  invoice_item_id text,
  metadata jsonb not null default '{}',
  primary key (invoice_id, line_id)
);
create index invoice_lines_price on invoice_lines (price_id) where stripe_meter_id is not null;

-- Sums of pushed usage by customer and UTC day, or the part of a day that is in one period; users are summed by period
-- as well. They say nothing that hourly usage does not; the fingerprint says of which pushes they are the sum, and a slice
-- whose pushes are others now is summed again.
create table statement_slices (
  customer_id text not null references customers (customer_id),
  slice_start timestamptz not null,
  slice_end timestamptz not null,
  fingerprint text not null,
  refreshed_at timestamptz not null,
  primary key (customer_id, slice_start, slice_end),
  check (slice_start < slice_end)
);
create table statement_usage (
  customer_id text not null,
  slice_start timestamptz not null,
  slice_end timestamptz not null,
  stripe_meter_id text not null,
  token_type text not null,
  model text not null,
  feature text not null,
  token_count bigint not null,
  primary key (customer_id, slice_start, slice_end, stripe_meter_id, token_type, model, feature),
  foreign key (customer_id, slice_start, slice_end) references statement_slices on delete cascade
);
create table statement_users (
  customer_id text not null,
  slice_start timestamptz not null,
  slice_end timestamptz not null,
  stripe_meter_id text not null,
  subject text not null,
  token_count bigint not null,
  primary key (customer_id, slice_start, slice_end, stripe_meter_id, subject),
  foreign key (customer_id, slice_start, slice_end) references statement_slices on delete cascade
);
