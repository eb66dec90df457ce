-- Prices by the package (Stripe's transform_quantity): amount and size of a package stand where tiers do.
alter table subscription_items drop constraint subscription_items_tiers_mode_check;
alter table subscription_items add constraint subscription_items_tiers_mode_check
  check (tiers_mode in ('graduated', 'volume', 'package_up', 'package_down'));
