-- Repair at the OpenMeter boundary. What OpenMeter lost is sent again, under a further id when the first one
-- stays invisible; what it counted twice is offset by a signed event. Both are events of the outbox, of a kind
-- of their own: they are in no sum of usage, because the event they stand for is already in it.

alter table usage_events
  add column kind text not null default 'usage' check (kind in ('usage', 'reissue', 'correction')),
  -- The usage event that this one stands for; null for usage itself.
  add column root_event_id text references usage_events (usage_event_id),
  -- How many copies of the root this event adds to OpenMeter's totals each time it is counted there.
  add column copy_delta integer not null default 1 check (copy_delta <> 0),
  -- How often it was put back to pending because OpenMeter did not show it.
  add column resend_count integer not null default 0,
  add constraint usage_events_kind_of_copy check (
    (kind = 'usage' and root_event_id is null and copy_delta = 1)
    or (kind = 'reissue' and root_event_id is not null and copy_delta > 0)
    or (kind = 'correction' and root_event_id is not null and copy_delta < 0));
create index usage_events_root on usage_events (root_event_id) where root_event_id is not null;

alter table settlements
  -- When the hour's events were last held against OpenMeter one by one, and when that last led to a repair.
  add column repair_checked_at timestamptz,
  add column repaired_at timestamptz;
create index settlements_repaired on settlements (repaired_at) where repaired_at is not null;

alter table drifts
  add column class text check (class in ('lost_in_openmeter', 'counted_twice', 'unexplained')),
  -- When all its events were found stored exactly once although the totals differ.
  add column found_sound_at timestamptz;
create index drifts_open on drifts (window_start) where resolved_at is null;
