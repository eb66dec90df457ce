-- Who sent prompts of one size again and again on a day, and how many of them a cache would have answered.
create table repeated_prompts (
  day date not null,
  subject text not null,
  feature text not null,
  model text not null,
  deployment text not null,
  call_count bigint not null,
  -- The size that most of them have, and how many.
  prompt_token_count bigint not null,
  repeated_call_count bigint not null,
  cache_hit_count bigint not null,
  primary key (day, subject, feature, model, deployment)
);

-- What each customer asked of each deployment on a day: in all, in its own busiest minute, and in that of the deployment.
create table deployment_loads (
  day date not null,
  deployment text not null,
  -- Empty: nobody's.
  customer_id text not null,
  token_count bigint not null,
  request_count bigint not null,
  busiest_minute_token_count bigint not null,
  token_count_in_busiest bigint not null,
  busiest_minute timestamptz not null,
  primary key (day, deployment, customer_id)
);
