-- Quotes that can be asked again: the answer's very text, and what it was computed from.

-- text keeps the JSON as it was written, which jsonb does not, and is not parsed again on its way in.
alter table quotes alter column request type text using request::text;
alter table quotes alter column result type text using result::text;
alter table quotes
  -- The usage, ranges and rates of the day; null for quotes older than this.
  add column snapshot text,
  -- SHA-256 of the answer; null for quotes older than this.
  add column result_hash text,
  add column customer_id text,
  add column plan_id text,
  add column plan_version text,
  add column valid_until timestamptz,
  add constraint quotes_reproducible check ((snapshot is null) = (result_hash is null));
-- Compressing the texts takes longer than all the rest of writing a quote, which a person waits for.
alter table quotes alter column result set storage external, alter column snapshot set storage external;
-- A quote of a few lines fits a page and stays in it; moving its texts out costs more than the row.
alter table quotes set (toast_tuple_target = 8160);
create index quotes_newest on quotes (created_at desc, quote_id desc);
create index quotes_customer on quotes (customer_id, created_at desc, quote_id desc) where customer_id is not null;

create function refuse_quote_edit() returns trigger language plpgsql as $$
begin
  raise exception 'a quote is never changed; make a new one';
end $$;
create trigger quotes_append_only before update or delete on quotes
  for each row execute function refuse_quote_edit();
create trigger quotes_keep before truncate on quotes
  for each statement execute function refuse_quote_edit();

-- Secrets of the service's own making, for what the configuration leaves out.
create table service_secrets (
  name text primary key,
  value text not null,
  created_at timestamptz not null
);
