-- What a reseller charges, dated. A version is never edited and never deleted.

create table plan_versions (
  -- In the order of recording: of two versions from one instant the later counts. Only one that is not in force yet can
  -- be followed so.
  plan_version_id bigint generated always as identity primary key,
  plan_id text not null,
  -- Date and hash of the content: what is charged, not how it is written.
  version_id text not null,
  effective_from timestamptz not null,
  -- The plan's head and this one version, as a checked plan file.
  content jsonb not null,
  recorded_by text not null,
  recorded_at timestamptz not null
);
create index plan_versions_by_id on plan_versions (plan_id, version_id);

-- The markup of the house, for plans that state none. The same rule.
create table global_markups (
  global_markup_id bigint generated always as identity primary key,
  effective_from timestamptz not null,
  -- Exact decimal text.
  markup_percent text not null,
  recorded_by text not null,
  recorded_at timestamptz not null
);
