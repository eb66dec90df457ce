-- Where Stripe's event summaries were seen not to show what was sent later than a push in question: nothing is concluded
-- from them until they do. One row for each customer and meter that waits.
create table summary_waits (
  customer_id text not null,
  stripe_meter_id text not null,
  -- When the push was sent that they do not show, and when they were last asked.
  since timestamptz not null,
  looked_at timestamptz not null,
  primary key (customer_id, stripe_meter_id)
);
