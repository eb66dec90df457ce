-- A key of an hour that ledger and meter agree on, and whose figures contradict each other.
alter table drifts drop constraint drifts_class_check;
alter table drifts add constraint drifts_class_check
  check (class in ('lost_in_openmeter', 'counted_twice', 'counts_disagree', 'unexplained'));
