-- Sessions of people in the console. Only hashes of what their browsers hold are kept. Their times are the database's own
-- and not the ledger's clock, which a demo lets run ahead.
create table console_sessions (
  session_hash text primary key,
  -- Whose rights it has; a revoked key ends it.
  api_key_id text not null references api_keys (api_key_id),
  -- What the next page says of the last act, once.
  notice text,
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now()
);
create index console_sessions_by_key on console_sessions (api_key_id);

-- Links that sign in once, without a key being typed.
create table console_sign_in_links (
  link_hash text primary key,
  api_key_id text not null references api_keys (api_key_id),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);

-- Failed tries to sign in, by where they come from and by five minutes of the database's time.
create table console_sign_in_failures (
  source text not null,
  window_start timestamptz not null,
  failed_count integer not null,
  primary key (source, window_start)
);
