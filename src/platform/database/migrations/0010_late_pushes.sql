-- When a push was tried last: only what Stripe must show by now can be believed not to have counted.
alter table meter_pushes add column last_attempt_at timestamptz;
update meter_pushes set last_attempt_at = first_attempt_at where status = 'pending';
