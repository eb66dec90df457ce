-- What customers agreed to: each quote once, with all that its page said then.
create table quote_acceptances (
  quote_id text primary key references quotes (quote_id),
  -- As it was typed.
  accepted_by text not null,
  -- SHA-256 of the stored quote, seller and terms; and these two as they were read.
  offer_hash text not null,
  seller text not null,
  accepted_at timestamptz not null
);

create function refuse_acceptance_edit() returns trigger language plpgsql as $$
begin
  raise exception 'what was accepted is never changed';
end $$;
create trigger quote_acceptances_append_only before update or delete on quote_acceptances
  for each row execute function refuse_acceptance_edit();
create trigger quote_acceptances_keep before truncate on quote_acceptances
  for each statement execute function refuse_acceptance_edit();
