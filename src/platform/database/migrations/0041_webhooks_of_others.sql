-- Events of other accounts than the one that is billed: counted, and left alone.
alter table webhook_counts add column other_account_count bigint not null default 0;
