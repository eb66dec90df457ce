import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** Reports of meter errors whose samples nobody has read, oldest first. */
export async function findErrorReports(database: LedgerDatabase, limit: number): Promise<string[]> {
  const rows = await database
    .selectFrom('webhook_events')
    .select('webhook_event_id')
    .where('event_type', 'in', ['v1.billing.meter.error_report_triggered', 'v1.billing.meter.no_meter_found'])
    .where('samples_read_at', 'is', null)
    .orderBy('received_at')
    .orderBy('webhook_event_id')
    .limit(limit)
    .execute();
  return rows.map((row) => row.webhook_event_id);
}

/**
 * Notes in one transaction that the samples of a report were read, and that Stripe did not count these pushes: they
 * count as delivered no more and wait as refused, with Stripe's code, until the sums agree that they did not count
 * and their usage is planned anew. One that takes another push back has no usage
 * to plan anew and is left to the sums. Their pairs are doubted: what the report does not name, the sums find.
 * @returns how many pushes were delivered or under way until now
 */
export async function refuseReportedPushes(
  database: LedgerDatabase,
  report: {
    eventId: string;
    errors: readonly { identifier: string; code: string }[];
    /** When Stripe's sums must show what it did count. */
    lookAt: Date;
    now: Date;
  },
): Promise<number> {
  return await database.transaction().execute(async (transaction) => {
    await transaction
      .updateTable('webhook_events')
      .set({ samples_read_at: report.now })
      .where('webhook_event_id', '=', report.eventId)
      .execute();
    if (report.errors.length === 0) return 0;
    const refused = await sql<{ count: bigint }>`
      with refused as (
      update meter_pushes p set status = 'refused', is_unproven = false, delivered_at = coalesce(p.delivered_at, ${report.now}),
        last_error = 'Stripe took it and did not count it: ' || reported.code
      from (select distinct on (identifier) identifier, code from unnest(
        ${report.errors.map((error) => error.identifier)}::text[],
        ${report.errors.map((error) => error.code)}::text[]) as given(identifier, code)) as reported
      where p.identifier = reported.identifier and p.offsets_push_id is null
        and (p.status = 'delivered' or (p.status = 'pending' and p.first_attempt_at is not null)
          or (p.status = 'refused' and p.is_unproven))
      returning p.customer_id, p.stripe_meter_id),
      -- The report may be of another meter than was meant: events go by name, and five are samples of many.
      doubted as (
        insert into billing_checks as known (customer_id, stripe_meter_id, next_check_at, doubt)
        select distinct customer_id, stripe_meter_id, ${report.lookAt}::timestamptz, 'error report' from refused
        where stripe_meter_id not like 'legacy:%' order by 1, 2
        on conflict (customer_id, stripe_meter_id) do update
          set next_check_at = excluded.next_check_at, doubt = excluded.doubt where known.next_check_at is null)
      select count(*) as count from refused`.execute(transaction);
    return Number(refused.rows[0]?.count ?? 0n);
  });
}
