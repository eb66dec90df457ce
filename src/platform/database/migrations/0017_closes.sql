-- Closing a period: what was done for each invoice, its proof, late usage, and credits.

-- One rescan of what the source may have shown late, shared by all closes of about the same time.
create table close_rescans (
  close_rescan_id bigint generated always as identity primary key,
  source text not null,
  -- By ingestion time, half-open.
  window_start timestamptz not null,
  window_end timestamptz not null,
  row_count bigint not null,
  new_row_count bigint not null,
  finished_at timestamptz not null
);
create index close_rescans_latest on close_rescans (source, window_end);

-- One invoice that ends a period. `state` is the last step that is done; the steps themselves are in close_steps.
create table closes (
  invoice_id text primary key references invoices (invoice_id),
  customer_id text not null references customers (customer_id),
  subscription_id text not null,
  currency text not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  state text not null check (state in ('found', 'claimed', 'collected', 'rescanned', 'settled', 'pushed', 'compared',
    'annotated', 'held', 'released', 'overtaken', 'finalized', 'finalized_without_us', 'deleted', 'voided', 'left_alone')),
  found_at timestamptz not null,
  state_at timestamptz not null,
  -- When Stripe finalizes it by itself, whatever became of us. Null until it is claimed.
  deadline timestamptz,
  -- Not looked at before.
  next_look_at timestamptz,
  -- Looks without a result, and failed calls, since the last step that was done.
  attempt_count integer not null default 0,
  last_error text,
  close_rescan_id bigint references close_rescans (close_rescan_id),
  -- What was held against each other when it was last looked at, and what differed; null: nothing did.
  comparison jsonb,
  difference jsonb,
  held_count integer not null default 0,
  released_by text,
  released_reason text,
  total_minor bigint,
  ended_at timestamptz,
  -- When the catalog showed the invoice final with the very total that the certificate has.
  confirmed_at timestamptz
);
create index closes_open on closes (state, next_look_at) where ended_at is null;
create index closes_period on closes (period_end, invoice_id);
create index closes_customer on closes (customer_id, period_end);
create index closes_unconfirmed on closes (invoice_id) where ended_at is not null and confirmed_at is null;

create table close_steps (
  close_step_id bigint generated always as identity primary key,
  invoice_id text not null references closes (invoice_id),
  state text not null,
  at timestamptz not null,
  note text
);
create index close_steps_invoice on close_steps (invoice_id, close_step_id);

-- From then on nothing more is pushed for the period of this draft: later usage goes to the next invoice.
alter table invoices add column sealed_at timestamptz;

-- What a closed invoice billed of each meter, and at what price: late usage of the period is rated by it.
create table close_meters (
  invoice_id text not null references closes (invoice_id),
  customer_id text not null,
  stripe_meter_id text not null,
  subscription_item_id text not null,
  price_id text,
  product_name text not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  ledger_quantity bigint not null,
  invoice_quantity bigint not null,
  invoice_amount_minor bigint not null,
  -- Null: of a kind that this version cannot rate.
  rated_amount_minor bigint,
  unit_amount_decimal text,
  tiers_mode text,
  price_tiers jsonb,
  -- The line, where there is exactly one.
  line_id text,
  primary key (invoice_id, subscription_item_id, period_start)
);
create index close_meters_period on close_meters (customer_id, stripe_meter_id, period_start);

create table close_certificates (
  invoice_id text primary key references closes (invoice_id),
  customer_id text not null references customers (customer_id),
  -- Canonical JSON, as it was hashed.
  content text not null,
  sha256 text not null,
  drift_token_count bigint not null,
  drift_amount_minor bigint not null,
  created_at timestamptz not null
);
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% holds proofs, which are never changed', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;
create trigger close_certificates_immutable before update or delete on close_certificates
  for each row execute function refuse_change();
create trigger close_certificates_kept before truncate on close_certificates
  for each statement execute function refuse_change();

-- Usage that missed the invoice of its period, as one item of a later one. Committed before the call, with its key.
create table late_items (
  late_item_id bigint generated always as identity primary key,
  customer_id text not null references customers (customer_id),
  -- The draft that it was put on.
  invoice_id text not null references invoices (invoice_id),
  subscription_id text not null,
  -- The invoice that it missed; null when this ledger never closed one for that time.
  missed_invoice_id text references invoices (invoice_id),
  stripe_meter_id text not null,
  product_name text not null,
  -- Its own service period: the period that it missed.
  period_start timestamptz not null,
  period_end timestamptz not null,
  used_from timestamptz not null,
  used_to timestamptz not null,
  token_count bigint not null check (token_count > 0),
  currency text not null,
  -- Minor units for a token; null: the amount is the difference that it makes to a tiered price.
  unit_amount_decimal text,
  amount_minor bigint not null check (amount_minor >= 0),
  -- What it does not cost, because the missed invoice was topped up to a minimum that would have covered it.
  absorbed_minor bigint not null default 0 check (absorbed_minor >= 0),
  description text not null,
  idempotency_key text not null unique,
  state text not null default 'planned' check (state in ('planned', 'created', 'invoiced')),
  invoice_item_id text,
  planned_at timestamptz not null,
  created_at timestamptz,
  invoiced_at timestamptz,
  check ((state = 'planned') = (invoice_item_id is null))
);
create index late_items_invoice on late_items (invoice_id);
create index late_items_customer on late_items (customer_id, late_item_id);
create index late_items_missed on late_items (missed_invoice_id, stripe_meter_id);

-- An invoice that billed more than was used, as far as the ledger can prove it. A person decides.
create table credit_proposals (
  credit_proposal_id bigint generated always as identity primary key,
  customer_id text not null references customers (customer_id),
  invoice_id text not null references invoices (invoice_id),
  stripe_meter_id text not null,
  product_name text not null,
  line_id text,
  period_start timestamptz not null,
  period_end timestamptz not null,
  token_count bigint not null check (token_count > 0),
  currency text not null,
  amount_minor bigint not null check (amount_minor > 0),
  cause text not null check (cause in ('corrected_usage', 'invoice_above_ledger')),
  state text not null default 'proposed' check (state in ('proposed', 'approved', 'created', 'rejected')),
  idempotency_key text not null unique,
  credit_note_id text,
  decided_by text,
  decided_reason text,
  proposed_at timestamptz not null,
  decided_at timestamptz,
  created_at timestamptz,
  last_error text,
  check ((state = 'created') = (credit_note_id is not null))
);
create index credit_proposals_waiting on credit_proposals (credit_proposal_id) where state in ('proposed', 'approved');
create index credit_proposals_invoice on credit_proposals (invoice_id, stripe_meter_id);
create index credit_proposals_customer on credit_proposals (customer_id, credit_proposal_id);

-- What bills carried usage, or gives it back. Such a row is carried by no push, and given up by nobody.
alter table hourly_usage
  add column late_item_id bigint references late_items (late_item_id),
  add column credit_proposal_id bigint references credit_proposals (credit_proposal_id),
  add constraint hourly_usage_billed_once check (
    (late_item_id is null or (credit_proposal_id is null and written_off_at is null))
    and ((late_item_id is null and credit_proposal_id is null)
      or (meter_push_id is null and quarantine_reason is not null)));
create index hourly_usage_carried on hourly_usage (customer_id, window_start)
  where quarantine_reason = 'carry_to_next_invoice' and late_item_id is null and credit_proposal_id is null;
create index hourly_usage_late_item on hourly_usage (late_item_id) where late_item_id is not null;
create index hourly_usage_credit on hourly_usage (credit_proposal_id) where credit_proposal_id is not null;

-- What an item bills, or a credit note gave back, waits no more.
create or replace view quarantine_entries as
  select 'item-' || s.quarantine_number as quarantine_id, 'source_item' as stage, s.quarantine_reason as reason,
    null::text as detail, s.event_time, s.subject, s.feature, s.model,
    (select customer_id from subjects where subjects.subject = s.subject) as customer_id,
    -- Cached and reasoning tokens are parts of these two, and the total is their sum.
    case when s.token_kind in ('prompt', 'completion') then s.token_count else 0 end as token_count,
    s.token_kind in ('prompt', 'completion') as is_counted,
    coalesce(w.collected_at, s.ingested_at) as waiting_since, s.written_off_at
  from source_items s left join collection_windows w on w.collection_window_id = s.collection_window_id
  where s.quarantine_reason is not null
union all
  select 'event-' || e.usage_event_id, 'usage_event', e.quarantine_reason, null, e.event_time, e.subject, e.feature,
    e.model, (select customer_id from subjects where subjects.subject = e.subject),
    e.prompt_token_count + e.completion_token_count, true, e.created_at, e.written_off_at
  from usage_events e where e.status = 'quarantined' and e.kind = 'usage'
union all
  select 'usage-' || h.hourly_usage_id, 'hourly_usage', h.quarantine_reason, h.quarantine_detail,
    h.window_start + make_interval(mins => h.part_start_minute), h.subject, h.feature, h.model,
    coalesce(h.customer_id, (select customer_id from subjects where subjects.subject = h.subject)),
    h.delta_token_count, true, h.created_at, h.written_off_at
  from hourly_usage h
  where h.quarantine_reason is not null and h.late_item_id is null
    and not exists (select 1 from credit_proposals c where c.credit_proposal_id = h.credit_proposal_id and c.state = 'created')
union all
  select 'push-' || p.meter_push_id, 'meter_push', 'refused_by_stripe', p.last_error, p.event_timestamp, '', '', '',
    p.customer_id, p.delta_token_count, true, p.created_at, p.written_off_at
  from meter_pushes p where p.status = 'refused';

-- Invoices are read once for a close; counted like the other rationed reads.
alter table stripe_reads drop constraint stripe_reads_purpose_check;
alter table stripe_reads add constraint stripe_reads_purpose_check check (purpose in ('routine', 'doubt', 'preview', 'close'));
