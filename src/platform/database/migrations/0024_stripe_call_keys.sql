-- Stripe keeps a refusal under its idempotency key for a day: the next try of the same call has the next key, and how many
-- are spent is committed before that is used.
create table stripe_call_keys (
  -- What is meant to happen once, and the digest of all that is sent for it.
  intent text not null,
  content text not null,
  spent_count integer not null check (spent_count > 0),
  spent_at timestamptz not null,
  primary key (intent, content)
);
