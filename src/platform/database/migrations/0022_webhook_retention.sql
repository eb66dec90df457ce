-- What is old enough to go is found without looking at the rest.
create index webhook_events_processed on webhook_events (received_at) where processed_at is not null;
