-- What an unknown cost is at least and at most, where what was not told of requests decides their price and the book has both.
alter table daily_costs
  add column least_cost_pico_usd numeric(60, 0),
  add column most_cost_pico_usd numeric(60, 0),
  add constraint daily_costs_bounds check ((least_cost_pico_usd is null) = (most_cost_pico_usd is null)
    and (least_cost_pico_usd is null or cost_pico_usd is null));
