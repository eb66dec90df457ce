-- Reads of Stripe that a customer's own pages cost on the newest day on which they cost any: beside the budget of all, so that
-- one who reloads a page does not spend what others need.
create table customer_stripe_reads (
  customer_id text primary key references customers (customer_id),
  read_on date not null,
  read_count integer not null
);
