-- Previews read the sums of pushed usage by day as statements do, and need no users: of some days only these are summed.
alter table statement_slices add column has_users boolean not null default true;
alter table statement_slices alter column has_users drop default;
