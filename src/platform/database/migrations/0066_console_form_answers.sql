-- Forms of the console that make something, once they were sent: who sends the same one again is shown what it made. Of a form the hash
-- alone is kept, and its answer under a key that only its sender has, for an hour.
create table console_form_answers (
  form_hash text primary key,
  -- Null while the act is under way.
  sealed_answer text,
  claimed_at timestamptz not null default now()
);
create index console_form_answers_by_age on console_form_answers (claimed_at);
