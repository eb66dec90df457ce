-- When whoever holds a key exchanged its secret: from then on nobody else knows it, who made it neither.
alter table api_keys add column taken_over_at timestamptz;
