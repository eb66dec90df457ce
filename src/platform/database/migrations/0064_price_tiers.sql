-- What a price depends on beside place and kind: which of what is not counted in tokens, how soon a request is answered, and
-- how many input tokens it has. What is there already holds for standard requests of any size.
alter table price_book_rows
  add column variant text not null default '',
  add column service_tier text not null default 'standard' check (service_tier in ('standard', 'priority', 'flex')),
  add column above_input_token_count integer not null default 0 check (above_input_token_count >= 0);
create unique index price_book_rows_live_key on price_book_rows
  (model, deployment_type, region, token_type, variant, service_tier, above_input_token_count,
    coalesce(effective_from, '-infinity'))
  where superseded_by_change is null;
drop index price_book_rows_live;

-- The tier of a deployment's requests; null: the rule does not say.
alter table price_book_deployments
  add column service_tier text check (service_tier in ('standard', 'priority', 'flex'));
