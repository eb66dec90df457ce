-- Whether OpenMeter has all users of a customer as subject keys. It takes so many of one customer and no more, and not all
-- at every time; the ledger attributes usage in any case.

alter table customers
  -- `automatic`: while they are few enough. `ledger`: never.
  add column attribution text not null default 'automatic' check (attribution in ('automatic', 'ledger'));

create table customer_attributions (
  customer_id text primary key references customers (customer_id),
  -- Why OpenMeter does not have all of them; null: it has.
  reason text check (reason in ('chosen', 'too_many_subjects', 'active_subscription', 'name_taken', 'refused', 'failed')),
  -- Told as a sentence, with what a person can do.
  detail text,
  since timestamptz not null,
  -- Tries in a row that ended with this reason.
  attempt_count integer not null default 0,
  retry_at timestamptz
);
create index customer_attributions_retry on customer_attributions (retry_at) where retry_at is not null;
