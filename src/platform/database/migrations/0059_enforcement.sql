-- When what gateways are told may have changed. A row a transaction: readers that cannot listen tell by their number and the newest of
-- them. Nothing is locked, so that it holds up nobody; rows of an hour ago have been seen by everybody.
create table enforcement_changes (
  transaction_id bigint primary key,
  changed_at timestamptz not null
);
create index enforcement_changes_at on enforcement_changes (changed_at);
create function note_enforcement_change() returns trigger language plpgsql as $$
begin
  insert into enforcement_changes (transaction_id, changed_at) values (pg_current_xact_id()::text::bigint, now())
  -- A ledger that was restored elsewhere may count transactions anew.
  on conflict (transaction_id) do update set changed_at = excluded.changed_at
    where enforcement_changes.changed_at <> excluded.changed_at;
  delete from enforcement_changes where transaction_id in (
    select transaction_id from enforcement_changes where changed_at < now() - interval '1 hour' limit 100
    for update skip locked);
  perform pg_notify('tallystick_enforcement', '');
  return null;
end $$;
create trigger enforcement_of_steps after insert or delete on budget_step_events
  for each row execute function note_enforcement_change();
create trigger enforcement_of_changed_steps after update on budget_step_events
  for each row when (old.* is distinct from new.*) execute function note_enforcement_change();
create trigger enforcement_of_budgets after update on budgets for each row
  when ((old.name, old.customer_id, old.feature, old.subject, old.ended_at)
    is distinct from (new.name, new.customer_id, new.feature, new.subject, new.ended_at))
  execute function note_enforcement_change();
-- Whose caller it is.
create trigger enforcement_of_new_customers after insert or delete on customers
  for each row execute function note_enforcement_change();
create trigger enforcement_of_customers after update on customers for each row
  when ((old.tenant_key, old.deleted_at) is distinct from (new.tenant_key, new.deleted_at))
  execute function note_enforcement_change();
create trigger enforcement_of_subjects after update on subjects for each row
  when (old.customer_id is distinct from new.customer_id) execute function note_enforcement_change();
create trigger enforcement_of_assigned_subjects after insert on subjects for each row
  when (new.assigned_by = 'person') execute function note_enforcement_change();
-- Who may ask.
create trigger enforcement_of_keys after update on api_keys for each row
  when ((old.revoked_at, old.scopes, old.key_hash) is distinct from (new.revoked_at, new.scopes, new.key_hash))
  execute function note_enforcement_change();
create trigger enforcement_of_gone_keys after delete on api_keys for each row execute function note_enforcement_change();
