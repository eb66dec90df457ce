-- By which rules an event was counted. 1: before makers had rules and minutes were judged; 2: since. The events there are
-- keep the first value without being rewritten.
alter table usage_events add column counting_version smallint not null default 1;
alter table usage_events alter column counting_version set default 2;

-- What a person decided about usage that was counted by the former rules.
create table recounts (
  recount_id bigint generated always as identity primary key,
  customer_id text not null references customers (customer_id),
  month date not null check (extract(day from month) = 1),
  cause text not null check (cause in ('told_apart', 'untold_parts', 'contradicting')),
  state text not null check (state in ('approved', 'rejected')),
  decided_by text not null,
  reason text,
  decided_at timestamptz not null,
  -- Of an approved one, when its events were made.
  done_at timestamptz,
  unique (customer_id, month, cause)
);
create index recounts_to_do on recounts (recount_id) where state = 'approved' and done_at is null;
