import { sql } from 'kysely';
import type { CloseComparison, CloseDifference } from '../../pricing/closing/certificate.ts';
import { CLOSE_ENDS, type CloseState, DRAFTS_BACK } from '../billing/states.ts';
import { ownMeter } from '../catalog/bound-item.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';

/** Invoices that became final before we saw them are examined for so long. */
const OVERTAKEN_BACK = '3 days';

/** A close that is not at its end. */
export interface OpenClose {
  invoiceId: string;
  customerId: string;
  stripeCustomerId: string;
  subscriptionId: string;
  currency: string;
  periodStart: Date;
  periodEnd: Date;
  state: CloseState;
  stateAt: Date;
  deadline: Date | null;
  attemptCount: number;
  heldCount: number;
  comparison: CloseComparison | null;
  difference: readonly CloseDifference[] | null;
  releasedBy: string | null;
  releasedReason: string | null;
}

/**
 * Takes up what is to be closed: drafts of subscriptions with metered items whose period is over, and invoices that
 * became final before we saw the draft, which are examined only. A period that is closed already is left alone, and so
 * is a draft that is kept while collection is paused. What a threshold made within a period belongs to that period's close.
 * @returns how many
 */
export async function findNewCloses(database: LedgerDatabase, now: Date): Promise<number> {
  const found = await sql<{ count: number }>`
    with fresh as (
      insert into closes (invoice_id, customer_id, subscription_id, currency, period_start, period_end, state, found_at, state_at, ended_at)
      select i.invoice_id, i.customer_id, i.subscription_id, i.currency, i.period_start, i.period_end,
        case when i.status <> 'draft' then 'overtaken' when paused.is_kept then 'left_alone' else 'found' end, ${now}, ${now},
        case when i.status = 'draft' and paused.is_kept then ${now}::timestamptz end
      from invoices i
      -- A draft that is kept while collection is paused belongs to whoever paused it: claimed, it would be billed.
      cross join lateral (
        select exists (select 1 from subscription_items s
          where s.subscription_id = i.subscription_id and s.collection_pause = 'keep_as_draft') as is_kept) paused
      where i.subscription_id is not null and not i.is_instalment and i.period_end <= ${now}
        and ((i.status = 'draft' and i.period_end > ${now}::timestamptz - ${DRAFTS_BACK}::interval)
          or (i.status in ('open', 'paid', 'uncollectible') and i.period_end > ${now}::timestamptz - ${OVERTAKEN_BACK}::interval
            and exists (select 1 from meter_pushes p where p.customer_id = i.customer_id
              and p.event_timestamp >= i.period_start and p.event_timestamp < i.period_end)))
        -- Of an ended subscription the catalog tells no quantities, but its items stay known.
        and (exists (select 1 from invoice_quantities q where q.invoice_id = i.invoice_id)
          or exists (select 1 from subscription_items s where s.subscription_id = i.subscription_id
            and ${ownMeter('s')} is not null and not s.active))
        and not exists (select 1 from closes c where c.invoice_id = i.invoice_id)
      on conflict do nothing
      returning invoice_id, state),
    steps as (
      insert into close_steps (invoice_id, state, at) select invoice_id, state, ${now}::timestamptz from fresh returning 1)
    select count(*)::int as count from steps`.execute(database);
  return found.rows[0]?.count ?? 0;
}

/** Closes in these states whose time to be looked at has come, the earliest deadline first. */
export async function readDueCloses(
  database: LedgerDatabase,
  due: { states: readonly CloseState[]; now: Date; limit: number },
): Promise<OpenClose[]> {
  const rows = await sql<OpenClose>`
    select c.invoice_id as "invoiceId", c.customer_id as "customerId",
      coalesce(k.stripe_customer_id, '') as "stripeCustomerId", c.subscription_id as "subscriptionId", c.currency,
      c.period_start as "periodStart", c.period_end as "periodEnd", c.state, c.state_at as "stateAt", c.deadline,
      c.attempt_count as "attemptCount", c.held_count as "heldCount", c.comparison, c.difference,
      c.released_by as "releasedBy", c.released_reason as "releasedReason"
    from closes c join customers k on k.customer_id = c.customer_id
    where c.ended_at is null and c.state = any(${due.states}::text[])
      and (c.next_look_at is null or c.next_look_at <= ${due.now})
    order by c.deadline nulls first, c.period_end, c.invoice_id limit ${due.limit}`.execute(database);
  return rows.rows;
}

export interface CloseMove {
  invoiceId: string;
  /** Only from one of these: whoever was faster is believed. */
  from: readonly CloseState[];
  to: CloseState;
  now: Date;
  /** Usage may reach the draft again, from the same instant on. */
  unseals?: boolean;
  note?: string;
  /** Of a held close: why Stripe does not finalize it. It is then not given up to Stripe at its deadline. */
  refusal?: string;
  deadline?: Date;
  nextLookAt?: Date;
  comparison?: CloseComparison;
  /** Null: nothing differs. */
  difference?: readonly CloseDifference[] | null;
  totalMinor?: bigint;
}

/**
 * Takes one close a step on, with the step's instant.
 * @returns false when it was not in any of those states any more: somebody else took it on
 */
export async function moveClose(
  database: LedgerDatabase | LedgerTransaction,
  move: CloseMove,
): Promise<boolean> {
  const moved = await sql`
    with moved as (
      update closes set state = ${move.to}, state_at = ${move.now}, attempt_count = 0, last_error = ${move.refusal ?? null},
        next_look_at = ${move.nextLookAt ?? null}, deadline = coalesce(${move.deadline ?? null}::timestamptz, deadline),
        comparison = coalesce(${move.comparison === undefined ? null : JSON.stringify(move.comparison)}::jsonb, comparison),
        difference = case when ${move.difference === undefined} then difference
          else ${move.difference == null ? null : JSON.stringify(move.difference)}::jsonb end,
        held_count = held_count + ${move.to === 'held' ? 1 : 0},
        total_minor = coalesce(${move.totalMinor === undefined ? null : String(move.totalMinor)}::bigint, total_minor),
        ended_at = case when ${CLOSE_ENDS.includes(move.to)} then ${move.now}::timestamptz end
      where invoice_id = ${move.invoiceId} and state = any(${move.from}::text[]) and ended_at is null
      returning invoice_id),
    unsealed as (
      update invoices i set sealed_at = null from moved where i.invoice_id = moved.invoice_id and ${move.unseals === true})
    insert into close_steps (invoice_id, state, at, note)
    select invoice_id, ${move.to}, ${move.now}, ${move.note ?? null} from moved`.execute(database);
  return moved.numAffectedRows === 1n;
}

/** A look that brought nothing, or a call that failed: when to look again, and what was met. */
export async function postponeClose(
  database: LedgerDatabase,
  postponed: { invoiceId: string; state: CloseState; nextLookAt: Date; error: string | null },
): Promise<void> {
  await sql`
    update closes set attempt_count = attempt_count + 1, next_look_at = ${postponed.nextLookAt}, last_error = ${postponed.error},
      failed_look_count = case when ${postponed.error === null} then 0 else least(failed_look_count, attempt_count) + 1 end
    where invoice_id = ${postponed.invoiceId} and state = ${postponed.state} and ended_at is null`.execute(
    database,
  );
}

/** What the ledger says of an invoice from now on, until the catalog brings more. */
export async function storeInvoiceStatus(
  database: LedgerDatabase | LedgerTransaction,
  invoiceId: string,
  status: string,
): Promise<void> {
  // What is void stays void, whenever it was read before.
  await sql`update invoices set status = ${status} where invoice_id = ${invoiceId} and status not in (${status}, 'void')`.execute(
    database,
  );
}
