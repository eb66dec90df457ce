-- Failed looks at a close, one after the other; a look that merely waits ends them. Looks without either stand in attempt_count, which
-- begins anew with every step: of the two, the lesser counts.
alter table closes add column failed_look_count integer not null default 0;

-- What was given up, for the list and the overview; there is little of it.
create index alert_deliveries_given_up on alert_deliveries (alert_id) where state = 'given_up';
