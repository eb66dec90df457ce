-- What a credit note gave back with its tax, and what could be credited at most where less was left than was approved: the
-- proposal then waits for a person again. Where the part goes that was paid already is said with the approval.
alter table credit_proposals
  add column credited_minor bigint,
  add column creditable_minor bigint check (creditable_minor >= 0),
  add column paid_part text not null default 'customer_balance'
    check (paid_part in ('customer_balance', 'refund', 'outside_stripe'));
