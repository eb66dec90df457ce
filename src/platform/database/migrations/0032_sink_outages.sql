-- An outage of OpenMeter's sink is no loss: it answers 204, Kafka keeps what comes, and all of it appears later. What is not
-- visible is sent again only when something sent later is.

-- One row for each subject whose events were missed. OpenMeter's producer takes the subject as the key of the topic, so one
-- subject's events keep their order, and those of two need not.
create table sink_canaries (
  subject text primary key,
  -- When the newest canary that was seen had been made: what was sent before has passed the sink, or is lost.
  passed_at timestamptz,
  -- The one under way: an event that counts nothing, its final bytes and the hour it is stored under.
  canary_id text unique,
  window_start timestamptz,
  body text,
  created_at timestamptz,
  sent_at timestamptz,
  -- How many in a row were not seen in time before this one.
  unseen_count integer not null default 0,
  check (num_nulls(canary_id, window_start, body, created_at) in (0, 4)),
  check (sent_at is null or canary_id is not null)
);

create table sink_outages (
  sink_outage_id bigint generated always as identity primary key,
  -- When the first event was sent that nothing shows.
  since timestamptz not null,
  noticed_at timestamptz not null,
  ended_at timestamptz
);
create unique index sink_outages_open on sink_outages ((true)) where ended_at is null;
