-- What operations must be able to see and do: reports of lost usage, leases, the queue, retention.

-- When the samples of a report of meter errors were read.
alter table webhook_events add column samples_read_at timestamptz;
update webhook_events set samples_read_at = reconciled_at where event_type like 'v1.billing.meter.%';
create index webhook_events_samples on webhook_events (received_at)
  where samples_read_at is null and event_type like 'v1.billing.meter.%';
