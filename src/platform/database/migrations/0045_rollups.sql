-- A day's costs know its requests and its users, and what its usage brings.

alter table daily_costs
  add column request_count bigint not null default 0,
  -- One row of each customer, model, feature and token type of a day, wherever there is one: what is counted once for all of
  -- them, such as what a month's rounding leaves, lies with it.
  add column is_first boolean not null default false;
do $$
declare found record;
begin
  for found in
    select conname from pg_constraint where conrelid = 'daily_costs'::regclass and contype = 'c'
      and pg_get_constraintdef(oid) like '%kind%'
  loop
    execute format('alter table daily_costs drop constraint %I', found.conname);
  end loop;
end $$;
alter table daily_costs
  -- `requests`: of a key that has no tokens on that day.
  add constraint daily_costs_kind check (kind in ('tokens', 'provisioned', 'idle', 'requests')),
  add constraint daily_costs_token_type check ((kind in ('idle', 'requests')) = (token_type is null));

-- The same day by user, without a row for each token type: who was active is a distinct count, and never a sum. Written with
-- the day's costs, and adds up to them.
create table daily_users (
  day date not null,
  customer_id text,
  subject text not null,
  model text not null,
  feature text not null,
  deployment text not null,
  token_count bigint not null,
  -- Side by side: the count of each token type.
  token_types text[] not null,
  token_counts bigint[] not null,
  -- Of these, as `is_first` above.
  first_token_types text[] not null,
  cost_pico_usd numeric(60, 0),
  provisioned_cost_pico_usd numeric(60, 0) not null,
  -- Cost is unknown; what has another reason, or none, is a row of its own.
  reason text,
  -- Beside tokens with a cost there were others that nobody counted.
  is_cost_partial boolean not null,
  request_count bigint not null,
  check ((cost_pico_usd is null) = (reason is not null))
);
create index daily_users_day on daily_users (day, customer_id);
create index daily_users_customer on daily_users (customer_id, day);
create index daily_users_subject on daily_users (subject, day);

-- What a customer's tokens of one kind bring in a calendar month, by today's rates. A token of any of its days brings the
-- month's average, in whole pico units; what that leaves lies with the last day.
create table monthly_revenues (
  customer_id text not null,
  month date not null,
  model text not null,
  feature text not null,
  token_type text not null,
  -- The sum of `daily_costs`.
  token_count bigint not null,
  last_day date,
  -- For how many tokens the amounts below are; null: for none yet, or rates have changed.
  rated_token_count bigint,
  currency text,
  -- Pico of the minor unit; null: no rate names this kind.
  unit_pico_minor numeric(60, 0),
  remainder_pico_minor numeric(60, 0),
  primary key (customer_id, month, model, feature, token_type)
);
create index monthly_revenues_due on monthly_revenues (customer_id, month)
  where rated_token_count is distinct from token_count or last_day is null;

insert into monthly_revenues (customer_id, month, model, feature, token_type, token_count, last_day)
select customer_id, date_trunc('month', day::timestamp)::date, model, feature, token_type, sum(token_count)::bigint, max(day)
from daily_costs where customer_id is not null and token_type is not null
group by 1, 2, 3, 4, 5;

-- Customers whose rates may have changed, as days are noted whose cost may be another.
create table revenue_customers_due (
  customer_id text primary key,
  note bigint not null default nextval('cost_notes')
);

create function note_rates_of_items() returns trigger language plpgsql as $$
begin
  insert into revenue_customers_due as due (customer_id)
  select customer_id from (
    (select subscription_item_id, customer_id, stripe_meter_id, currency, active, unit_amount_decimal, tiers_mode,
       price_tiers from changed_to
     except
     select subscription_item_id, customer_id, stripe_meter_id, currency, active, unit_amount_decimal, tiers_mode,
       price_tiers from changed_from)
    union
    (select subscription_item_id, customer_id, stripe_meter_id, currency, active, unit_amount_decimal, tiers_mode,
       price_tiers from changed_from
     except
     select subscription_item_id, customer_id, stripe_meter_id, currency, active, unit_amount_decimal, tiers_mode,
       price_tiers from changed_to)) as changed
  group by customer_id order by customer_id
  on conflict (customer_id) do update set note = nextval('cost_notes');
  return null;
end $$;
create trigger subscription_items_changed after update on subscription_items
  referencing old table as changed_from new table as changed_to
  for each statement execute function note_rates_of_items();

create function note_rates_of_new_items() returns trigger language plpgsql as $$
begin
  insert into revenue_customers_due as due (customer_id)
  select customer_id from added group by customer_id order by customer_id
  on conflict (customer_id) do update set note = nextval('cost_notes');
  return null;
end $$;
create trigger subscription_items_added after insert on subscription_items
  referencing new table as added for each statement execute function note_rates_of_new_items();

create function note_rates_of_bindings() returns trigger language plpgsql as $$
begin
  insert into revenue_customers_due as due (customer_id)
  select item.customer_id from moved join subscription_items as item using (stripe_meter_id)
  where item.active group by item.customer_id order by item.customer_id
  on conflict (customer_id) do update set note = nextval('cost_notes');
  return null;
end $$;
create trigger meter_bindings_added after insert on meter_bindings
  referencing new table as moved for each statement execute function note_rates_of_bindings();
create trigger meter_bindings_removed after delete on meter_bindings
  referencing old table as moved for each statement execute function note_rates_of_bindings();

create function note_changed_bindings() returns trigger language plpgsql as $$
begin
  insert into revenue_customers_due as due (customer_id)
  select item.customer_id
  from (select after.stripe_meter_id as new_meter, before.stripe_meter_id as old_meter
        from changed_to as after join changed_from as before using (model, token_type, feature)
        where after.stripe_meter_id is distinct from before.stripe_meter_id) as changed
  join subscription_items as item on item.stripe_meter_id in (changed.new_meter, changed.old_meter)
  where item.active group by item.customer_id order by item.customer_id
  on conflict (customer_id) do update set note = nextval('cost_notes');
  return null;
end $$;
create trigger meter_bindings_changed after update on meter_bindings
  referencing old table as changed_from new table as changed_to
  for each statement execute function note_changed_bindings();

-- Requests may change where tokens do not.
create trigger hourly_activity_to_rate after insert on hourly_activity
  referencing new table as added for each statement execute function note_usage_to_rate();
create function note_changed_activity_to_rate() returns trigger language plpgsql as $$
begin
  insert into cost_days_due as due (day)
  select distinct (after.window_start at time zone 'UTC')::date as day
  from (select window_start, subject, feature, model, deployment, request_count from changed_to
        except select window_start, subject, feature, model, deployment, request_count from changed_from) as after
  order by day
  on conflict (day) do update set note = nextval('cost_notes');
  return null;
end $$;
create trigger hourly_activity_changed after update on hourly_activity
  referencing old table as changed_from new table as changed_to
  for each statement execute function note_changed_activity_to_rate();

-- What was rated before has neither requests nor users.
insert into cost_days_due (day) select day from cost_days where revision > 0 on conflict (day) do nothing;
