-- An item whose price has no amount in its subscription's currency: its usage waits, and nothing is rated by another currency.
alter table subscription_items add column price_problem text
  check (price_problem is null or price_problem = 'no_price_in_currency');
