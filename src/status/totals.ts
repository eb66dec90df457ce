import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';
import { countedTokens, IS_COUNTED_ITEM } from '../usage/columns.ts';

/** Where every token that the ledger knows of stands. */
export interface TokenTotals {
  collectedTokenCount: bigint;
  deliveredTokenCount: bigint;
  /** On later invoices as items, less what credit notes gave back. Beside what was delivered to meters. */
  lateBilledTokenCount: bigint;
  /** Still on its way: unsent, unsettled, unassigned, or not yet acknowledged by Stripe. */
  dueTokenCount: bigint;
  /** Waiting with a reason, by reason. */
  quarantinedTokenCount: bigint;
  quarantinedByReason: Record<string, bigint>;
  /** Given up by a person, with a reason in the audit log. */
  writtenOffTokenCount: bigint;
}

/**
 * Counts all of it in one snapshot. The parts are counted each on its own, so that
 * collected = delivered + billed late + due + quarantined + written off is a check and not a definition.
 */
export async function readTokenTotals(database: LedgerDatabase): Promise<TokenTotals> {
  return await readSnapshot(database, countTokens);
}

/** The same in a snapshot that holds more. */
export async function countTokens(snapshot: LedgerSnapshot): Promise<TokenTotals> {
  const one = async (query: ReturnType<typeof sql<{ total: bigint }>>) =>
    (await query.execute(snapshot)).rows[0]?.total ?? 0n;
  const collected = await one(sql`
        select ((select coalesce(sum(token_count), 0) from source_items where ${IS_COUNTED_ITEM})
          + (select coalesce(sum(token_count), 0) from dropped_item_days))::bigint as total`);
  const delivered = await one(sql`
        select coalesce(sum(delta_token_count), 0)::bigint as total from meter_pushes where status = 'delivered'`);
  const unsent = await one(sql`
        select coalesce(sum(${countedTokens()}), 0)::bigint as total from usage_events where status = 'pending' and kind = 'usage'`);
  const sent = await one(sql`
        select coalesce(sum(${countedTokens()}), 0)::bigint as total
        from usage_events where status in ('sent', 'confirmed') and kind = 'usage'`);
  const settled = await one(
    sql`select coalesce(sum(delta_token_count), 0)::bigint as total from hourly_usage`,
  );
  const unassigned = await one(sql`
        select coalesce(sum(delta_token_count), 0)::bigint as total from hourly_usage where meter_push_id is null and quarantine_reason is null`);
  const unacknowledged = await one(sql`
        select coalesce(sum(delta_token_count), 0)::bigint as total from meter_pushes where status = 'pending'`);
  const late = await sql<{ billed: bigint; planned: bigint }>`
        select coalesce(sum(h.delta_token_count) filter (where l.state <> 'planned' or c.state = 'created'), 0)::bigint as billed,
          coalesce(sum(h.delta_token_count) filter (where l.state = 'planned'), 0)::bigint as planned
        from hourly_usage h left join late_items l on l.late_item_id = h.late_item_id
        left join credit_proposals c on c.credit_proposal_id = h.credit_proposal_id
        where h.late_item_id is not null or h.credit_proposal_id is not null`.execute(snapshot);
  const waiting = await sql<{ reason: string; total: bigint }>`
        select reason, sum(token_count)::bigint as total from quarantine_entries
        where written_off_at is null and is_counted group by reason order by reason`.execute(snapshot);
  const writtenOff = await one(sql`
        select coalesce(sum(token_count), 0)::bigint as total from quarantine_entries where written_off_at is not null and is_counted`);
  const byReason = Object.fromEntries(waiting.rows.map((row) => [row.reason, row.total]));
  return {
    collectedTokenCount: collected,
    deliveredTokenCount: delivered,
    lateBilledTokenCount: late.rows[0]?.billed ?? 0n,
    dueTokenCount: unsent + (sent - settled) + unassigned + unacknowledged + (late.rows[0]?.planned ?? 0n),
    quarantinedTokenCount: waiting.rows.reduce((sum, row) => sum + row.total, 0n),
    quarantinedByReason: byReason,
    writtenOffTokenCount: writtenOff,
  };
}
