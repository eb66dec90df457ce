-- What people are told of, where it goes, and what became of each telling.

create table alert_routes (
  alert_route_id text primary key,
  name text not null,
  channel text not null check (channel in ('email', 'slack', 'teams', 'webhook')),
  -- customer: alerts of one customer alone, in words for it, and without anything that is ours to know.
  audience text not null check (audience in ('operator', 'customer')),
  customer_id text,
  -- Empty: all kinds.
  kinds text[] not null,
  least_severity text not null check (least_severity in ('info', 'warning', 'urgent')),
  email_addresses text[] not null,
  -- Of a signed webhook; those of Slack and Teams are secrets themselves.
  target_url text,
  -- The environment variable that has the secret, never the secret.
  secret_name text,
  time_zone text not null,
  -- Minutes of the day in its time zone, from one to before the other; both null: never quiet.
  quiet_from_minute smallint check (quiet_from_minute between 0 and 1439),
  quiet_until_minute smallint check (quiet_until_minute between 0 and 1439),
  urgent_passes boolean not null,
  -- Beyond so many in an hour, the rest is told as one.
  hourly_limit integer not null check (hourly_limit between 1 and 1000),
  locale text not null check (locale in ('en', 'de')),
  subject_template text,
  body_template text,
  digest text not null check (digest in ('none', 'day', 'week')),
  digest_minute smallint not null check (digest_minute between 0 and 1439),
  skips_empty_digest boolean not null,
  -- Null: it has no digest.
  next_digest_at timestamptz,
  created_at timestamptz not null,
  created_by text not null,
  changed_at timestamptz not null,
  ended_at timestamptz,
  check (audience = 'operator' or customer_id is not null),
  check ((quiet_from_minute is null) = (quiet_until_minute is null)),
  check ((digest = 'none') = (next_digest_at is null)),
  check ((channel = 'email') = (cardinality(email_addresses) > 0)),
  check ((channel = 'webhook') = (target_url is not null)),
  check ((channel = 'email') = (secret_name is null))
);
create unique index alert_routes_name on alert_routes (name) where ended_at is null;
create index alert_routes_digest on alert_routes (next_digest_at) where ended_at is null and next_digest_at is not null;

create table alerts (
  alert_id bigint generated always as identity primary key,
  kind text not null check (kind in ('budget', 'anomaly', 'drift', 'held_invoice', 'quarantine_age', 'price_change',
    'failed_close', 'digest', 'storm', 'test')),
  -- What is told of, once.
  key text not null unique,
  -- What it is about: of one thing that lasts, one alert stands at a time.
  topic text not null,
  customer_id text,
  -- customer: its customer may be told, too.
  audience text not null check (audience in ('operator', 'customer')),
  severity text not null check (severity in ('info', 'warning', 'urgent')),
  facts jsonb not null,
  -- It says that this one counts no longer.
  withdraws_alert_id bigint unique references alerts (alert_id),
  -- undone: it never was; settled: it was, and is over.
  ending text check (ending in ('undone', 'settled')),
  -- For this route alone; null: for all that want it.
  alert_route_id text references alert_routes (alert_route_id),
  raised_at timestamptz not null,
  -- When its routes were found; null: not yet.
  routed_at timestamptz,
  -- Its fact may end or be undone; one that happened once does not stand.
  is_standing boolean not null,
  ended_at timestamptz,
  acknowledged_at timestamptz,
  acknowledged_by text,
  acknowledged_reason text,
  check (audience = 'operator' or customer_id is not null),
  check ((acknowledged_at is null) = (acknowledged_by is null)),
  check (is_standing or ended_at is null),
  check ((withdraws_alert_id is null) = (ending is null))
);
create unique index alerts_standing on alerts (topic) where is_standing and ended_at is null;
create index alerts_unrouted on alerts (alert_id) where routed_at is null;
create index alerts_by_customer on alerts (customer_id, alert_id);

create table alert_deliveries (
  alert_delivery_id bigint generated always as identity primary key,
  alert_id bigint not null references alerts (alert_id),
  alert_route_id text not null references alert_routes (alert_route_id),
  -- The same at every try, so that a receiver can drop twins.
  message_id text not null unique,
  -- given_up: tried for a day; summarised: told with others as one; undone: its fact was, before it was sent;
  -- route_ended: nobody listens any more.
  state text not null check (state in ('waiting', 'sent', 'given_up', 'summarised', 'undone', 'route_ended')),
  created_at timestamptz not null,
  -- Tries since it was created, or sent again by a person.
  attempt_count integer not null default 0,
  next_attempt_at timestamptz,
  sent_at timestamptz,
  unique (alert_id, alert_route_id),
  check ((state = 'waiting') = (next_attempt_at is not null))
);
create index alert_deliveries_due on alert_deliveries (next_attempt_at) where state = 'waiting';
create index alert_deliveries_by_route on alert_deliveries (alert_route_id, alert_delivery_id);

-- Every try. Begun and without an outcome: it is under way, or its process died.
create table alert_attempts (
  alert_delivery_id bigint not null references alert_deliveries (alert_delivery_id),
  attempt_number integer not null,
  began_at timestamptz not null,
  ended_at timestamptz,
  -- Of what answers in statuses.
  answer_status integer,
  error text,
  primary key (alert_delivery_id, attempt_number)
);
create index alert_attempts_began on alert_attempts (began_at);
