-- Holders of whose usage something is new, until they are judged.
create table budget_holders_due (
  budget_id text not null references budgets (budget_id),
  customer_id text not null,
  subject text not null,
  primary key (budget_id, customer_id, subject)
);
