-- Tiers of a subscription item's price. unit_amount_decimal stays for prices without tiers; all three null: a price
-- that this version cannot rate, whose usage then has no amount.
alter table subscription_items
  add column tiers_mode text check (tiers_mode in ('graduated', 'volume')),
  -- [{"upTo": "1000000" | null, "unitAmountDecimal": "0.0003", "flatAmountDecimal": "900" | null}], in order.
  add column price_tiers jsonb,
  add constraint subscription_items_one_price
    check ((tiers_mode is null) = (price_tiers is null) and (price_tiers is null or unit_amount_decimal is null));

-- Reads for previews of invoices have a daily budget of their own.
alter table stripe_reads drop constraint stripe_reads_purpose_check;
alter table stripe_reads add constraint stripe_reads_purpose_check check (purpose in ('routine', 'doubt', 'preview'));

-- A push is of one customer, meter and hour, so that it and a model are nearly one thing. The planner multiplies them
-- unless told, and then sorts a whole month on disk that it could sum in memory.
create statistics hourly_usage_push_groups (ndistinct) on meter_push_id, model, feature from hourly_usage;
