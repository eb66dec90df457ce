-- What currencies were worth, as it was published: costs are in US dollars, customers may be billed in others.
create table exchange_rates (
  day date not null,
  -- One unit of the base is so many units of the currency.
  base text not null check (base ~ '^[a-z]{3}$'),
  currency text not null check (currency ~ '^[a-z]{3}$' and currency <> base),
  rate numeric(30, 12) not null check (rate > 0),
  source text not null,
  imported_at timestamptz not null,
  imported_by text not null,
  primary key (base, currency, day)
);
create index exchange_rates_by_currency on exchange_rates (currency, day desc);
