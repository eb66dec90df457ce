-- Whole days that were judged by what no single hour of them shows, and up to which of their sums.
create table anomaly_judged_days (
  day date primary key,
  summed_at timestamptz not null,
  judged_at timestamptz not null
);
create index anomaly_findings_creep on anomaly_findings (customer_id, last_hour desc) where shape = 'creep';
