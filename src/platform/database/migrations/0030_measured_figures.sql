-- What the source measured, by hour, model and deployment: of each kind how many measurements became usage, and how many
-- tokens they told. A kind that fewer requests measured than measured the whole was not told: zero is told, silence is not.
create table measured_figures (
  window_start timestamptz not null,
  model text not null,
  deployment text not null,
  token_kind text not null,
  measurement_count bigint not null,
  token_count bigint not null,
  primary key (window_start, model, deployment, token_kind)
);

-- Names are counted by their keys: `pricing/usage/names.ts`.
create function pg_temp.name_key(name text) returns text language sql immutable as $$
  select normalize(lower(btrim(normalize(name, NFKD)) collate "C"), NFC) $$;

-- Of usage from before: that there was some. An hour without requests (their row was missing) had one at least.
insert into measured_figures (window_start, model, deployment, token_kind, measurement_count, token_count)
select summed.window_start, summed.model, summed.deployment, kind.token_kind, greatest(summed.requests, 1), kind.token_count
from (select window_start, regexp_replace(pg_temp.name_key(model), '^((azure|openai)/ *)+', '') as model,
        pg_temp.name_key(deployment) as deployment, sum(request_count) as requests, sum(prompt_token_count) as prompt,
        sum(cached_prompt_token_count) as cached_prompt, sum(completion_token_count) as completion
      from usage_events where kind = 'usage' group by 1, 2, 3) as summed
cross join lateral (values ('prompt', prompt), ('cached_prompt', cached_prompt), ('completion', completion))
  as kind(token_kind, token_count)
where kind.token_count > 0;

-- An hour that settles anew may have been told more although no token was added.
create function note_settled_hours_to_rate() returns trigger language plpgsql as $$
begin
  insert into cost_days_due as due (day)
  select distinct (after.window_start at time zone 'UTC')::date as day
  from changed_to as after join changed_from as before using (window_start)
  where after.status = 'settled' and before.status = 'open' and before.settled_at is not null order by day
  on conflict (day) do update set note = nextval('cost_notes');
  return null;
end $$;
create trigger settlements_to_rate after update on settlements
  referencing old table as changed_from new table as changed_to
  for each statement execute function note_settled_hours_to_rate();

-- Prices of audio are called as the token types are: one word for one thing. No price changes.
create function pg_temp.kind_of_today(former text) returns text language sql immutable as $$
  select case former when 'audio_prompt' then 'prompt_audio' when 'audio_prompt_cached' then 'prompt_cached_audio'
    when 'audio_completion' then 'completion_audio' end $$;
alter table price_book_rows disable trigger price_book_rows_append_only;
update price_book_rows set token_type = pg_temp.kind_of_today(token_type)
where pg_temp.kind_of_today(token_type) is not null;
alter table price_book_rows enable trigger price_book_rows_append_only;
update retail_meter_rows set token_type = pg_temp.kind_of_today(token_type)
where pg_temp.kind_of_today(token_type) is not null;
update price_sync_items set token_type = pg_temp.kind_of_today(token_type),
  subject = replace(subject, ' ' || token_type, ' ' || pg_temp.kind_of_today(token_type))
where pg_temp.kind_of_today(token_type) is not null;

-- Of models with such prices nobody knew how much of what was used is what: days that were rated as if are rated again.
insert into cost_days_due as due (day, cause)
select distinct day, 'parts_not_told' from daily_costs
where exists (
  select from price_book_rows r join price_book_models m on m.model = r.model
  where r.superseded_by_change is null and (daily_costs.model = m.model or daily_costs.model = any(m.aliases))
    and r.token_type in ('prompt_audio', 'prompt_cached_audio', 'completion_audio'))
on conflict (day) do update set note = nextval('cost_notes'), cause = concat_ws(' ', due.cause, excluded.cause);
