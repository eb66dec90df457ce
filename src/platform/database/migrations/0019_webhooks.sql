-- Webhooks as an outbox, and a catalog that follows single objects.

-- `processed_at` null is the work that is due: a row is recorded with it in one statement, and a sweep takes it. A
-- queue only makes that sooner.
alter table webhook_events
  -- What the event is about: that object is read again.
  add column object_type text,
  -- When it happened, by the sender's clock.
  add column occurred_at timestamptz,
  add column arrived_by text not null default 'webhook' check (arrived_by in ('webhook', 'event_list')),
  add column attempt_count integer not null default 0,
  add column last_error text;

-- What came, by type; kinds that this version does not know are counted too.
create table webhook_counts (
  provider text not null,
  event_type text not null,
  is_known boolean not null,
  received_count bigint not null default 0,
  duplicate_count bigint not null default 0,
  last_received_at timestamptz not null,
  primary key (provider, event_type)
);

-- How far the catalog's two ways of catching up have come: `whole_listing` and `event_list`.
create table catalog_progress (
  name text primary key,
  position timestamptz not null,
  updated_at timestamptz not null
);

alter table subscription_items
  add column product_id text,
  -- What its price's metadata says that it prices, as it stands there.
  add column price_model text,
  add column price_token_type text,
  add column price_feature text,
  -- Of which plan it is, and made for which of its versions.
  add column price_plan text,
  add column price_plan_version text,
  -- The order in which Stripe lists items, oldest first: where two claim the same, the first keeps it.
  add column list_position bigint not null default 0,
  -- From when on it can be on an invoice, and from when on no more: it ended then, or is going to.
  add column started_at timestamptz,
  add column ends_at timestamptz,
  add column trial_ends_at timestamptz,
  -- Invoices are made and not collected.
  add column collection_pause text;
-- Ended items still take usage of their last period.
drop index subscription_items_customer;
create index subscription_items_customer on subscription_items (customer_id, stripe_meter_id);
create index subscription_items_subscription on subscription_items (subscription_id);
create index subscription_items_price on subscription_items (price_id);
create index invoices_subscription on invoices (subscription_id) where status = 'draft';
create index hourly_usage_stale_catalog on hourly_usage (subject) where quarantine_reason = 'stale_catalog';
create index webhook_events_arrival on webhook_events (provider, arrived_by, received_at);

-- Which usage feeds items that have no meter, through usage records: of the customers that have such an item. What
-- stands for a meter there begins with `legacy:`.
create table legacy_bindings (
  model text not null,
  token_type text not null check (token_type in ('prompt', 'prompt_cached', 'completion')),
  feature text not null,
  stripe_meter_id text not null references stripe_meters (stripe_meter_id),
  primary key (model, token_type, feature)
);
