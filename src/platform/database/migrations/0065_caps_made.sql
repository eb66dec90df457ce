-- Caps are changes that save cost, too: a user's feature may cost so much a day.
alter table made_changes drop constraint made_changes_kind_check,
  add check (kind in ('swap', 'cache', 'cap')),
  -- Of a cap, in a day; zero of the others.
  add column day_limit_pico_usd numeric(60, 0) not null default 0,
  add check ((kind = 'cap') = (day_limit_pico_usd > 0));
