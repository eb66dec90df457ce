-- Why Stripe made an invoice, and when: a billing threshold makes one within a period, to which nothing is added later.
alter table invoices add column billing_reason text;
alter table invoices add column made_at timestamptz;
-- An invoice of a threshold whose period goes on: what it bills is taken off the period's own invoice. One that resets the
-- billing cycle ends its period, and is none.
alter table invoices add column is_instalment boolean not null default false;
