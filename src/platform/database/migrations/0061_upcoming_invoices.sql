-- What each subscription's next invoice came to when it was last worked out: what all of them come to is a sum of these.
create table upcoming_invoices (
  subscription_id text primary key,
  customer_id text not null,
  currency text not null,
  -- In the currency's minor unit; null: of a line it is unknown.
  total_minor numeric(40, 0),
  as_of timestamptz not null,
  -- Names all that it rests on; where that is another by now, the amount may be another.
  inputs text not null
);
create index upcoming_invoices_customer on upcoming_invoices (customer_id);
