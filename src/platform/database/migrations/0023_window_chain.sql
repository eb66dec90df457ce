-- A window keeps no query text any more: the version of the template and its parameters, which rebuild the text, and a
-- digest chained to the window committed before it. Sums run along the chain, so that a period's part of it is known from
-- its first window and the chain's head, however long the period and the history are.

-- What was asked but for the window: a few rows, which windows share.
create table collection_queries (
  collection_query_id integer generated always as identity primary key,
  -- Of the template, a line feed and the parameters, which may be longer than an index entry.
  query_sha256 bytea not null unique,
  template text not null,
  -- Canonical JSON.
  parameters text not null check (parameters::jsonb is not null)
);

-- The head of each chain: one for each source and kind of cursor.
create table collection_chains (
  source text not null,
  cursor_kind text not null check (cursor_kind in ('ingestion', 'event')),
  -- The position of the last window, and sums over all that ever were.
  window_count bigint not null,
  row_count bigint not null,
  new_row_count bigint not null,
  -- The greatest end of a window so far.
  reached_until timestamptz not null,
  digest bytea not null,
  begun_at timestamptz not null,
  begun_from timestamptz not null,
  -- Windows up to this position are gone; the digest of the last of them lets the rest be proven.
  dropped_count bigint not null default 0,
  dropped_digest bytea not null default ''::bytea,
  -- The greatest end of a window that is gone.
  dropped_until timestamptz,
  primary key (source, cursor_kind)
);

-- Windows of before are converted here, in steps of bounded size, and written anew: the file of the texts goes with them.
create function pg_temp.instant(at timestamptz) returns text language sql as
  $$ select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

-- A text with its instants said by their distance from the window's start or end, in milliseconds: windows of the same
-- shape then share one. Null where that could be misread; such a text is kept as it is.
create function pg_temp.to_pattern(query_text text, window_start timestamptz, window_end timestamptz) returns text
language plpgsql as $$
declare
  pattern text := query_text;
  found text;
  from_start numeric;
  from_end numeric;
begin
  if strpos(query_text, '{') > 0 then return null; end if;
  for found in select distinct m[1] from
    regexp_matches(query_text, 'datetime\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\)', 'g') m
  loop
    from_start := trunc(extract(epoch from found::timestamptz - window_start) * 1000);
    from_end := trunc(extract(epoch from found::timestamptz - window_end) * 1000);
    pattern := replace(pattern, found, case
      -- Distances are whole minutes, widths need not be.
      when from_start <= 0 and from_start % 60000 = 0 or from_end % 60000 <> 0 then '{start' || to_char(from_start, 'FMS999999999999990') || '}'
      else '{end' || to_char(from_end, 'FMS999999999999990') || '}' end);
  end loop;
  return pattern;
end $$;

create temporary table window_queries (collection_window_id bigint primary key, query_sha256 bytea not null) on commit drop;
do $$
declare
  done bigint := 0;
  upto bigint;
begin
  loop
    select max(id) into upto from (
      select collection_window_id as id from collection_windows where collection_window_id > done
      order by collection_window_id limit 20000) step;
    exit when upto is null;
    with pattern as materialized (
      select collection_window_id, query_text, pg_temp.to_pattern(query_text, window_start, window_end) as pattern
      from collection_windows where collection_window_id > done and collection_window_id <= upto),
    query as materialized (
      select collection_window_id, case when pattern is null then 'verbatim/1' else 'recorded/1' end as template,
        '{"text":' || to_json(coalesce(pattern, query_text))::text || '}' as parameters from pattern),
    hashed as materialized (
      select *, sha256(convert_to(template || E'\n' || parameters, 'UTF8')) as query_sha256 from query),
    added as (
      insert into collection_queries (query_sha256, template, parameters)
      select distinct on (query_sha256) query_sha256, template, parameters from hashed on conflict do nothing)
    insert into window_queries select collection_window_id, query_sha256 from hashed;
    done := upto;
  end loop;
end $$;

create function pg_temp.chain_step(digest bytea, line text) returns bytea language sql immutable as
  $$ select sha256(digest || convert_to(line, 'UTF8')) $$;
create aggregate pg_temp.chain(text) (sfunc = pg_temp.chain_step, stype = bytea, initcond = '');

create temporary table chained_windows on commit drop as
select w.collection_window_id, w.source, w.cursor_kind, w.window_start, w.window_end, w.row_count, w.new_row_count,
  w.usage_event_count, w.collected_at, q.collection_query_id,
  row_number() over chain as chain_position,
  (sum(w.row_count) over chain)::bigint as total_row_count,
  (sum(w.new_row_count) over chain)::bigint as total_new_row_count,
  max(w.window_end) over chain as reached_until,
  pg_temp.chain(concat_ws(E'\n', w.source, w.cursor_kind, pg_temp.instant(w.window_start), pg_temp.instant(w.window_end),
    w.row_count, w.new_row_count, w.usage_event_count, pg_temp.instant(w.collected_at), encode(q.query_sha256, 'hex'))) over chain as digest
from collection_windows w
  join window_queries using (collection_window_id) join collection_queries q using (query_sha256)
window chain as (partition by w.source, w.cursor_kind order by w.collection_window_id
  rows between unbounded preceding and current row);

truncate collection_windows;
alter table collection_windows
  drop column query_text,
  add column collection_query_id integer not null references collection_queries (collection_query_id),
  -- From 1, in the order of commit.
  add column chain_position bigint not null,
  -- Of this window and all before it in its chain.
  add column total_row_count bigint not null,
  add column total_new_row_count bigint not null,
  add column reached_until timestamptz not null,
  add column digest bytea not null;
insert into collection_windows (collection_window_id, source, cursor_kind, window_start, window_end, row_count, new_row_count,
    usage_event_count, collected_at, collection_query_id, chain_position, total_row_count, total_new_row_count, reached_until, digest)
  overriding system value
  select collection_window_id, source, cursor_kind, window_start, window_end, row_count, new_row_count, usage_event_count,
    collected_at, collection_query_id, chain_position, total_row_count, total_new_row_count, reached_until, digest
  from chained_windows order by collection_window_id;
insert into collection_chains (source, cursor_kind, window_count, row_count, new_row_count, reached_until, digest, begun_at, begun_from)
  select distinct on (source, cursor_kind) source, cursor_kind, chain_position, total_row_count, total_new_row_count, reached_until,
    digest, min(collected_at) over (partition by source, cursor_kind), min(window_start) over (partition by source, cursor_kind)
  from chained_windows order by source, cursor_kind, chain_position desc;
drop aggregate pg_temp.chain(text);
drop function pg_temp.chain_step(bytea, text), pg_temp.to_pattern(text, timestamptz, timestamptz), pg_temp.instant(timestamptz);

create unique index collection_windows_chain on collection_windows (source, cursor_kind, chain_position);
-- The first window that reached into a period.
create index collection_windows_reach on collection_windows (source, cursor_kind, reached_until, chain_position);
