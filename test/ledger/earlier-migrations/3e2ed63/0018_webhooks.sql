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
  -- The order in which Stripe lists items, oldest first: where two claim the same, the first keeps it.
  add column listed_at bigint not null default 0,
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
