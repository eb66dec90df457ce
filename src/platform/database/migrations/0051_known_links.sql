-- Every signed link, from now on. Links of before have no id and no row; they count until they expire, see link_withdrawals.
create table page_links (
  link_id text primary key,
  kind text not null check (kind in ('quote', 'statement', 'statement-preview', 'portal', 'portal-user')),
  -- The quote, the invoice, or the customer.
  target_id text not null,
  -- Whose it is; null: of a quote for nobody in particular.
  customer_id text,
  -- The one user of the customer; null: not of one user.
  user_id text,
  -- The one link of its target that is told again and again, instead of a new one each time.
  is_standing boolean not null,
  -- Which signing key signed it: a fingerprint, never the key.
  key_id text not null,
  expires_at timestamptz not null,
  made_by text not null,
  made_at timestamptz not null,
  -- To the hour, so that looking is not writing.
  last_seen_at timestamptz,
  withdrawn_at timestamptz,
  withdrawn_by text,
  check ((kind = 'portal-user') = (user_id is not null)),
  check ((withdrawn_at is null) = (withdrawn_by is null))
);
create unique index page_links_standing on page_links (kind, target_id) where is_standing;
create index page_links_made on page_links (made_at, link_id);
create index page_links_by_customer on page_links (customer_id, made_at, link_id);
create index page_links_by_key on page_links (key_id, expires_at) where withdrawn_at is null;

-- When all links of a customer were withdrawn: ends also those of before, which no row knows.
create table link_withdrawals (
  customer_id text primary key,
  withdrawn_at timestamptz not null,
  withdrawn_by text not null
);

-- Readers of the portal: browsers that opened a link, and frames that a host's own backend opened with its key. Only hashes of
-- what they hold are kept; times are the database's own, as those of console_sessions.
create table portal_sessions (
  session_id text primary key,
  session_hash text not null unique,
  customer_id text not null,
  -- The one user of the customer; null: the whole customer.
  user_id text,
  -- What it came from, and ends with.
  link_id text references page_links (link_id),
  api_key_id text references api_keys (api_key_id),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  check (num_nonnulls(link_id, api_key_id) = 1)
);
create index portal_sessions_by_customer on portal_sessions (customer_id);
create index portal_sessions_by_expiry on portal_sessions (expires_at);
