-- What a customer's users are called where people read of them; the host says it. A user without a name is called by its id.
create table display_names (
  customer_id text not null references customers (customer_id),
  subject text not null,
  name text not null,
  primary key (customer_id, subject)
);
