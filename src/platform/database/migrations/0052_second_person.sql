-- Acts above an amount that wait until another person agrees, and what became of each.
create table second_person_requests (
  second_person_request_id bigint generated always as identity primary key,
  act text not null check (act in ('close.release', 'credit.approve', 'credit.reject', 'uninvoiced.write_off',
    'uninvoiced.due_again', 'invoice.choose')),
  -- What it is done to: an invoice's id, a credit's, that of uninvoiced usage; and as the audit log names it.
  subject_id text not null,
  target text not null,
  parameters jsonb not null,
  customer_id text not null,
  -- Null: nothing tells what it comes to.
  amount_minor bigint,
  currency text,
  -- What the second person agrees to, by name; other figures are another act.
  figures jsonb not null,
  reason text not null,
  asked_by text not null,
  asked_by_name text not null,
  -- Null: the command line.
  asked_by_key text,
  asked_at timestamptz not null,
  expires_at timestamptz not null,
  state text not null default 'waiting' check (state in ('waiting', 'agreed', 'declined', 'withdrawn', 'expired', 'overtaken')),
  ended_by text,
  ended_reason text,
  ended_at timestamptz,
  check ((state = 'waiting') = (ended_at is null)),
  check (expires_at > asked_at)
);

-- One at a time for what it is done to.
create unique index second_person_requests_waiting on second_person_requests (target) where state = 'waiting';
