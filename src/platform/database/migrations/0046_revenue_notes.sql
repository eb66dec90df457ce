-- Months whose revenue waits are noted beside the table: an index over what changes made each change of a month's row one of all
-- its indexes, and the table grow with every hour.
drop index monthly_revenues_due;
create table monthly_revenues_due (
  customer_id text not null,
  month date not null,
  primary key (customer_id, month)
);
insert into monthly_revenues_due (customer_id, month)
select distinct customer_id, month from monthly_revenues
where rated_token_count is distinct from token_count or last_day is null;
alter table monthly_revenues drop column rated_token_count;
alter table monthly_revenues set (fillfactor = 70);
