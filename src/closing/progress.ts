import { type RawBuilder, sql } from 'kysely';
import type { CloseState } from '../billing/states.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { countedTokens } from '../usage/columns.ts';

const SECOND_MS = 1_000;
const seconds = (milliseconds: number) => `${Math.round(milliseconds / SECOND_MS)} seconds`;

/** Hours of the period that hold usage of the close's customer which the meter has not confirmed. */
const IS_UNSETTLED = sql`exists (
  select 1 from settlements s
  cross join lateral (
    select sum(${countedTokens('e')}) as tokens, bool_or(e.status = 'pending') as has_pending
    from usage_events e join subjects b on b.subject = e.subject
    where b.customer_id = c.customer_id and e.window_start = s.window_start and e.kind = 'usage'
      and e.status in ('pending', 'sent', 'confirmed')) e
  where s.status = 'open' and s.window_start >= date_trunc('hour', c.period_start, 'UTC') and s.window_start < c.period_end
    and e.tokens is not null
    -- An hour may stay open for somebody else's sake: what was compared and is settled in full counts.
    and (e.has_pending or s.attempt_count = 0 or e.tokens <> (
      select coalesce(sum(h.delta_token_count), 0) from hourly_usage h join subjects b on b.subject = h.subject
      where b.customer_id = c.customer_id and h.window_start = s.window_start)))`;

/** Settled usage of the period that no push carries yet, and pushes that Stripe has not acknowledged. */
const IS_UNPUSHED = sql`(exists (
    select 1 from hourly_usage h join subjects b on b.subject = h.subject
    where b.customer_id = c.customer_id and h.meter_push_id is null
      and (h.quarantine_reason is null or h.quarantine_reason = 'stale_catalog') and h.written_off_at is null
      and h.window_start >= date_trunc('hour', c.period_start, 'UTC') and h.window_start < c.period_end
      and h.window_start + make_interval(mins => h.part_start_minute) >= c.period_start
      and h.window_start + make_interval(mins => h.part_start_minute) < c.period_end)
  or exists (
    select 1 from meter_pushes p where p.customer_id = c.customer_id and p.status = 'pending'
      and p.event_timestamp >= c.period_start and p.event_timestamp < c.period_end))`;

/** Moves every close for which `where` holds, in one statement. @returns their invoices */
async function moveAll(
  database: LedgerDatabase,
  move: {
    from: readonly CloseState[];
    to: CloseState;
    now: Date;
    where: RawBuilder<unknown>;
    set?: RawBuilder<unknown>;
    also?: RawBuilder<unknown>;
    note?: string;
  },
): Promise<string[]> {
  const rows = await sql<{ invoiceId: string }>`
    with moved as (
      update closes c set state = ${move.to}, state_at = ${move.now}, attempt_count = 0, last_error = null,
        ${move.set ?? sql`next_look_at = null`}
      where c.ended_at is null and c.state = any(${move.from}::text[]) and ${move.where}
      returning c.invoice_id)
    ${move.also ?? sql``}
    insert into close_steps (invoice_id, state, at, note)
    select invoice_id, ${move.to}, ${move.now}::timestamptz, ${move.note ?? null} from moved order by invoice_id
    returning invoice_id as "invoiceId"`.execute(database);
  return rows.rows.map((row) => row.invoiceId);
}

/** Claimed closes whose time the source has been collected for. */
export function moveCollected(
  database: LedgerDatabase,
  given: { source: string; sourceWaitMs: number; now: Date },
): Promise<string[]> {
  const due = sql`c.period_end + ${seconds(given.sourceWaitMs)}::interval`;
  return moveAll(database, {
    from: ['claimed'],
    to: 'collected',
    now: given.now,
    where: sql`${due} <= ${given.now} and exists (
      select 1 from watermarks w where w.source = ${given.source} and w.position >= ${due})`,
  });
}

/** Rescanned closes for whose customers every hour of the period is settled. */
export function moveSettled(database: LedgerDatabase, now: Date): Promise<string[]> {
  return moveAll(database, { from: ['rescanned'], to: 'settled', now, where: sql`not ${IS_UNSETTLED}` });
}

/**
 * Settled closes of which nothing is due any more. In the same statement the draft is sealed: whatever comes from now
 * on goes to the next invoice, so that what is compared stays as it is. Stripe is given time to add up what came last.
 */
export function moveAndSealPushed(
  database: LedgerDatabase,
  { aggregationWaitMs, now }: { aggregationWaitMs: number; now: Date },
): Promise<string[]> {
  return moveAll(database, {
    from: ['settled'],
    to: 'pushed',
    now,
    where: sql`not ${IS_UNSETTLED} and not ${IS_UNPUSHED}`,
    set: sql`next_look_at = (
      select max(p.delivered_at) + ${seconds(aggregationWaitMs)}::interval from meter_pushes p
      where p.customer_id = c.customer_id and p.event_timestamp >= c.period_start and p.event_timestamp < c.period_end)`,
    also: sql`, sealed as (
      update invoices i set sealed_at = ${now} from moved where i.invoice_id = moved.invoice_id)`,
  });
}

/** Held closes whose time to be looked at again has come: unsealed, so that a repair may still reach the draft. */
export function takeUpHeld(database: LedgerDatabase, now: Date): Promise<string[]> {
  return moveAll(database, {
    from: ['held'],
    to: 'rescanned',
    now,
    where: sql`c.next_look_at <= ${now} and c.close_rescan_id is not null and not (${IS_UNSETTLED}) and not (${IS_UNPUSHED})`,
    note: 'looked at again',
  });
}

/**
 * Closes that Stripe finalized, or will have by now, without us; and those whose catalog says so. From the deadline
 * on nothing is sent for the period any more.
 */
export function moveOvertaken(database: LedgerDatabase, now: Date): Promise<string[]> {
  return moveAll(database, {
    from: ['found', 'claimed', 'collected', 'rescanned', 'settled', 'pushed', 'held'],
    to: 'overtaken',
    now,
    // Held with an error is what Stripe does not finalize: after its deadline, too, it is only tried at its own times.
    where: sql`((c.deadline <= ${now} and (c.state <> 'held' or c.last_error is null or c.next_look_at <= ${now})) or exists (
      select 1 from invoices i where i.invoice_id = c.invoice_id and i.status not in ('draft', 'deleted')))`,
    also: sql`, sealed as (
      update invoices i set sealed_at = coalesce(i.sealed_at, ${now}::timestamptz) from moved where i.invoice_id = moved.invoice_id)`,
  });
}

/** Closes that wait for so long that a person should know; why, by invoice. They are held like a difference. */
export async function findStuckCloses(
  database: LedgerDatabase,
  given: { patienceMs: number; sourceWaitMs: number; now: Date },
): Promise<{ invoiceId: string; state: CloseState; reason: string }[]> {
  const rows = await sql<{ invoiceId: string; state: CloseState; reason: string }>`
    select c.invoice_id as "invoiceId", c.state,
      case when c.state = 'rescanned' then 'hours of the period are not settled'
        else 'usage of the period is not pushed' end as reason
    from closes c
    where c.ended_at is null and c.state in ('rescanned', 'settled')
      and greatest(c.state_at, c.period_end + ${seconds(given.sourceWaitMs)}::interval) <= ${given.now}::timestamptz - ${seconds(given.patienceMs)}::interval
    order by c.invoice_id`.execute(database);
  return rows.rows;
}

/** Nothing more is sent for the period of an invoice: it is about to be final, or somebody decided. */
export async function sealInvoice(
  database: LedgerDatabase | LedgerTransaction,
  invoiceId: string,
  now: Date,
): Promise<void> {
  await sql`update invoices set sealed_at = coalesce(sealed_at, ${now}::timestamptz) where invoice_id = ${invoiceId}`.execute(
    database,
  );
}

/** A repair may reach the draft again. */
export async function unsealInvoice(database: LedgerDatabase, invoiceId: string): Promise<void> {
  await sql`update invoices set sealed_at = null where invoice_id = ${invoiceId}`.execute(database);
}

/**
 * Whether a push for the period slipped in after it was compared: planned before the seal, delivered after.
 */
export async function hasLaterPush(
  database: LedgerDatabase,
  close: { customerId: string; periodStart: Date; periodEnd: Date; comparedAt: Date },
): Promise<boolean> {
  const rows = await sql`
    select 1 from meter_pushes p where p.customer_id = ${close.customerId}
      and p.event_timestamp >= ${close.periodStart} and p.event_timestamp < ${close.periodEnd}
      and (p.status = 'pending' or (p.status = 'delivered' and p.delivered_at > ${close.comparedAt}))
    limit 1`.execute(database);
  return rows.rows.length > 0;
}
