import { sql } from 'kysely';
import { isBilledPush } from '../../billing/day-slices.ts';
import type { TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';

/** What a line bills: the pushed usage of a meter and period, or usage that missed its own invoice. */
export type EvidenceOf =
  | { kind: 'usage'; customerId: string; stripeMeterId: string; period: TimeWindow }
  | { kind: 'late'; customerId: string; invoiceItemId: string };

/** One hour, or the part of it that is in the period, as a line rests on it. */
export interface EvidenceHour {
  windowStart: Date;
  /** Of the hour's usage rows: what was metered and belongs to the line. */
  tokenCount: bigint;
  /** Of the hour's pushes: what Stripe was told. Null for late usage, which is not pushed. */
  pushedTokenCount: bigint | null;
  settledAt: Date | null;
  pushes: EvidencePush[];
}

interface EvidencePush {
  identifier: string;
  revision: number;
  status: string;
  deltaTokenCount: bigint;
  sentValue: bigint;
  eventTimestamp: Date;
  deliveredAt: Date | null;
}

interface PushRow {
  identifier: string;
  revision: number;
  status: string;
  delta: string;
  sent: string;
  stamp: string;
  delivered: string | null;
}

/** Pushes that count for the line, under the alias `push`. */
function pushesOf(of: EvidenceOf & { kind: 'usage' }) {
  const { customerId, stripeMeterId, period } = of;
  return sql`push.customer_id = ${customerId} and push.stripe_meter_id = ${stripeMeterId}
    and push.window_start > ${period.start}::timestamptz - interval '1 hour' and push.window_start < ${period.end}
    and push.event_timestamp >= ${period.start} and push.event_timestamp < ${period.end} and ${isBilledPush('push')}`;
}

/** Rows of `hourly_usage usage` that the line bills. */
export function usageRowsOf(of: EvidenceOf) {
  return of.kind === 'usage'
    ? sql`usage.meter_push_id in (select push.meter_push_id from meter_pushes push where ${pushesOf(of)})`
    : sql`usage.late_item_id in (select late_item_id from late_items
        where customer_id = ${of.customerId} and invoice_item_id = ${of.invoiceItemId})`;
}

/** Hours of a line after a given one, in the order of time. */
export async function readEvidenceHours(
  database: LedgerDatabase,
  of: EvidenceOf,
  page: { after: Date | null; limit: number },
): Promise<EvidenceHour[]> {
  const after = page.after === null ? sql`true` : sql`window_start > ${page.after}`;
  const pushes =
    of.kind === 'usage'
      ? sql`select push.window_start, sum(push.delta_token_count)::bigint as pushed,
          json_agg(json_build_object('identifier', push.identifier, 'revision', push.revision, 'status', push.status,
            'delta', push.delta_token_count::text, 'sent', push.sent_value::text, 'stamp', push.event_timestamp,
            'delivered', push.delivered_at) order by push.revision) as pushes
        from meter_pushes push where ${pushesOf(of)} group by 1`
      : sql`select null::timestamptz as window_start, null::bigint as pushed, '[]'::json as pushes where false`;
  const rows = await sql<{
    window_start: Date;
    token_count: bigint;
    pushed: bigint | null;
    pushes: PushRow[] | null;
    settled_at: Date | null;
  }>`
    with pushed as (${pushes}),
    used as (
      select usage.window_start, sum(usage.delta_token_count)::bigint as token_count
      from hourly_usage usage where ${usageRowsOf(of)} group by 1),
    hours as (
      select coalesce(used.window_start, pushed.window_start) as window_start, coalesce(used.token_count, 0) as token_count,
        pushed.pushed, pushed.pushes
      from used full join pushed on pushed.window_start = used.window_start)
    select hours.*, settlements.settled_at from hours left join settlements using (window_start)
    where ${after} order by window_start limit ${page.limit}`.execute(database);
  return rows.rows.map((row) => ({
    windowStart: row.window_start,
    tokenCount: row.token_count,
    pushedTokenCount: of.kind === 'usage' ? (row.pushed ?? 0n) : null,
    settledAt: row.settled_at,
    pushes: (row.pushes ?? []).map((push) => ({
      identifier: push.identifier,
      revision: push.revision,
      status: push.status,
      deltaTokenCount: BigInt(push.delta),
      sentValue: BigInt(push.sent),
      eventTimestamp: new Date(push.stamp),
      deliveredAt: push.delivered === null ? null : new Date(push.delivered),
    })),
  }));
}

/** All hours of a line together. */
export async function sumEvidenceHours(
  database: LedgerDatabase,
  of: EvidenceOf,
): Promise<{ hourCount: number; tokenCount: bigint; pushedTokenCount: bigint | null }> {
  const pushed =
    of.kind === 'usage'
      ? sql`(select coalesce(sum(push.delta_token_count), 0)::bigint from meter_pushes push where ${pushesOf(of)})`
      : sql`null::bigint`;
  const result = await sql<{ hour_count: number; token_count: bigint; pushed: bigint | null }>`
    select count(distinct usage.window_start)::int as hour_count,
      coalesce(sum(usage.delta_token_count), 0)::bigint as token_count, ${pushed} as pushed
    from hourly_usage usage where ${usageRowsOf(of)}`.execute(database);
  const row = result.rows[0];
  return {
    hourCount: row?.hour_count ?? 0,
    tokenCount: row?.token_count ?? 0n,
    pushedTokenCount: row?.pushed ?? null,
  };
}
