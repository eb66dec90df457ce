-- What Azure charges, by instant of use and by what was known when. History is never edited: a change appends rows,
-- and what it corrects stays, marked with the change that superseded it.

-- One change is one version of the book.
create table price_book_changes (
  -- Without holes: it is taken under a lock, so that version 8 is everything version 7 was and one change.
  change_id bigint primary key,
  kind text not null check (kind in ('seed', 'add', 'correction', 'import', 'sync', 'deployment')),
  made_at timestamptz not null,
  made_by text not null,
  reason text not null,
  -- How people and quotes name the state after it.
  version text not null unique,
  -- Of no two ledgers, unless one is a copy of the other.
  state_id uuid not null unique default gen_random_uuid()
);

create table price_book_sources (
  source text not null,
  change_id bigint not null references price_book_changes (change_id),
  title text not null,
  as_of text not null,
  note text not null,
  primary key (source, change_id)
);

-- Canonical names with their aliases; of several rows of a model the latest change counts.
create table price_book_models (
  model text not null,
  change_id bigint not null references price_book_changes (change_id),
  aliases text[] not null,
  primary key (model, change_id)
);

create table price_book_rows (
  price_row_id bigint generated always as identity primary key,
  change_id bigint not null references price_book_changes (change_id),
  superseded_by_change bigint references price_book_changes (change_id),
  model text not null,
  deployment_type text not null,
  region text not null,
  token_type text not null,
  currency text not null,
  -- Exact decimal text, or 'retired': the price ends here.
  amount text not null,
  unit text not null,
  -- Null: since ever.
  effective_from timestamptz,
  source text not null,
  source_key text not null,
  listed_at text not null,
  note text not null,
  confirmed boolean not null,
  allow_absurd text not null,
  allow_gap text not null,
  check (superseded_by_change > change_id)
);
create unique index price_book_rows_live on price_book_rows
  (model, deployment_type, region, token_type, coalesce(effective_from, '-infinity'))
  where superseded_by_change is null;

create table price_book_deployments (
  deployment_rule_id bigint generated always as identity primary key,
  change_id bigint not null references price_book_changes (change_id),
  superseded_by_change bigint references price_book_changes (change_id),
  -- A name, or a pattern with * and ?.
  deployment text not null,
  model text,
  deployment_type text,
  region text,
  effective_from timestamptz,
  retired boolean not null,
  note text not null,
  check (superseded_by_change > change_id)
);
create unique index price_book_deployments_live on price_book_deployments
  (deployment, coalesce(effective_from, '-infinity')) where superseded_by_change is null;

-- Nothing of it can be rewritten, by whatever statement: a row may be superseded, once.
create function refuse_price_book_edit() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.superseded_by_change is null
    and to_jsonb(new) - 'superseded_by_change' = to_jsonb(old) - 'superseded_by_change' then
    return new;
  end if;
  raise exception 'the history of the price book is not edited; add a change that supersedes';
end $$;
create trigger price_book_rows_append_only before update or delete on price_book_rows
  for each row execute function refuse_price_book_edit();
create trigger price_book_deployments_append_only before update or delete on price_book_deployments
  for each row execute function refuse_price_book_edit();

-- Days whose costs a change altered; the rating step takes them up.
create table rerating_requests (
  rerating_request_id bigint generated always as identity primary key,
  change_id bigint not null references price_book_changes (change_id),
  day_start date not null,
  -- Not included.
  day_end date not null,
  -- Empty: any model, because the change says which deployments serve which.
  models text[] not null,
  done_at timestamptz,
  audit text,
  check (day_start < day_end)
);
create index rerating_requests_due on rerating_requests (day_start) where done_at is null;
