-- What somebody changed to save cost, with what was forecast of it then: measured against what came of it.
create table made_changes (
  made_change_id bigint generated always as identity primary key,
  -- swap: a feature runs on another model; cache: a user's equal calls are answered without a model.
  kind text not null check (kind in ('swap', 'cache')),
  feature text not null,
  -- Of a swap; empty of a cache.
  from_model text not null,
  to_model text not null,
  -- Of a cache; empty of a swap.
  subject text not null,
  -- Measured from the day after.
  made_on date not null,
  -- Of a day, from those before; null: nothing could be forecast.
  forecast_day_pico_usd numeric(60, 0),
  note text not null,
  recorded_by text not null,
  recorded_at timestamptz not null,
  unique (kind, feature, from_model, to_model, subject, made_on)
);
