-- Every price that a subscription has, or had: Stripe bills usage under a price that an item has left as an invoice item,
-- which names the price alone, while the item keeps only the one of now. Prices do not change; rows are added, never changed.
create table item_prices (
  subscription_id text not null,
  price_id text not null,
  customer_id text not null,
  -- The item that has or had it; its price's own id where the ledger saw only the line.
  subscription_item_id text not null,
  product_name text not null,
  -- Null: it is no metered price.
  stripe_meter_id text,
  unit_amount_decimal text,
  tiers_mode text,
  price_tiers jsonb,
  first_seen_at timestamptz not null,
  primary key (subscription_id, price_id)
);
insert into item_prices (subscription_id, price_id, customer_id, subscription_item_id, product_name, stripe_meter_id,
  unit_amount_decimal, tiers_mode, price_tiers, first_seen_at)
select distinct on (subscription_id, price_id) subscription_id, price_id, customer_id, split_part(subscription_item_id, '#', 1),
  product_name, stripe_meter_id, unit_amount_decimal, tiers_mode, price_tiers, synced_at
from subscription_items where stripe_meter_id is not null and price_problem is null
order by subscription_id, price_id, active desc, synced_at desc;

-- Since when an item has its price; null: for as long as it is known.
alter table subscription_items add column price_since timestamptz;
