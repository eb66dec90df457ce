import { sql } from 'kysely';
import { isStranded } from '../billing/late-items.ts';
import { UNINVOICED } from '../billing/uninvoiced/groups.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { readKeptSums } from '../platform/database/kept-sums.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';

/** Where every token that the ledger knows of stands. */
export interface TokenTotals {
  collectedTokenCount: bigint;
  /** On final invoices: on lines of meters and as items, less what credit notes gave back. */
  invoicedTokenCount: bigint;
  /** Delivered, or an item for an invoice, and that is a draft or yet to come. */
  awaitingInvoiceTokenCount: bigint;
  /** Still on its way: unsent, unsettled, unassigned, or not yet acknowledged by Stripe. */
  dueTokenCount: bigint;
  /** Waiting with a reason, by reason. */
  quarantinedTokenCount: bigint;
  quarantinedByReason: Record<string, bigint>;
  /** Delivered, and on no invoice, by reason. */
  uninvoicedTokenCount: bigint;
  uninvoicedByReason: Record<string, bigint>;
  /** Given up by a person, with a reason in the audit log. */
  writtenOffTokenCount: bigint;
  /** Collected less all of these: 0, or the ledger contradicts itself. */
  differenceTokenCount: bigint;
  /** What Stripe's meters acknowledged, whatever became of it. No part of the sum. */
  deliveredTokenCount: bigint;
}

/**
 * All of it in one snapshot, from sums that are kept of each table by itself, so that collected = invoiced + awaiting its
 * invoice + due + quarantined + uninvoiced + written off is a check and not a definition.
 */
export async function readTokenTotals(database: LedgerDatabase): Promise<TokenTotals> {
  return await readSnapshot(database, countTokens);
}

/** The same in a snapshot that holds more. */
export async function countTokens(snapshot: LedgerSnapshot): Promise<TokenTotals> {
  const one = async (query: ReturnType<typeof sql<{ total: bigint }>>) =>
    (await query.execute(snapshot)).rows[0]?.total ?? 0n;
  const kept = await readKeptSums(snapshot);
  const tokensOf = (name: string, part?: string) => kept.of(name, part).tokenCount;
  const collected = tokensOf('collected');
  const invoiced = tokensOf('meter_pushes', 'delivered invoiced');
  const awaiting = tokensOf('meter_pushes', 'delivered');
  const all = invoiced + awaiting + tokensOf('meter_pushes', 'delivered uninvoiced');
  const unsent = tokensOf('usage_events', 'pending');
  const sent = tokensOf('usage_events', 'sent') + tokensOf('usage_events', 'confirmed');
  const settled = tokensOf('hourly_usage');
  const unacknowledged = tokensOf('meter_pushes', 'pending');
  const unassigned = await one(sql`
        select coalesce(sum(delta_token_count), 0)::bigint as total from hourly_usage where meter_push_id is null and quarantine_reason is null`);
  const late = await sql<{ invoiced: bigint; created: bigint; planned: bigint }>`
        select coalesce(sum(h.delta_token_count) filter (where l.state = 'invoiced' or c.state = 'created'), 0)::bigint as invoiced,
          coalesce(sum(h.delta_token_count) filter (where l.state = 'created' or (l.state = 'planned' and ${isStranded('l')})), 0)::bigint as created,
          coalesce(sum(h.delta_token_count) filter (where l.state = 'planned' and not ${isStranded('l')}), 0)::bigint as planned
        from hourly_usage h left join late_items l on l.late_item_id = h.late_item_id
        left join credit_proposals c on c.credit_proposal_id = h.credit_proposal_id
        where h.late_item_id is not null or h.credit_proposal_id is not null`.execute(snapshot);
  const waiting = await sql<{ reason: string; detail: string | null; total: bigint }>`
        select reason, case when reason = ${UNINVOICED} then detail end as detail, sum(token_count)::bigint as total
        from (
          select reason, detail, token_count, 1 as row_count from held_usage_entries where written_off_at is null
          union all
          select reason, null, counted_token_count, counted_row_count from held_item_sums where not is_written_off) as waiting
        group by 1, 2 having sum(row_count) > 0 order by 1, 2`.execute(snapshot);
  const writtenOff = await one(sql`
        select ((select coalesce(sum(token_count), 0) from held_usage_entries where written_off_at is not null)
          + (select coalesce(sum(counted_token_count), 0) from held_item_sums where is_written_off))::bigint as total`);
  const lost = waiting.rows.filter(({ reason }) => reason === UNINVOICED);
  const held = waiting.rows.filter(({ reason }) => reason !== UNINVOICED);
  const { invoiced: lateInvoiced = 0n, created = 0n, planned = 0n } = late.rows[0] ?? {};
  const parts = {
    invoicedTokenCount: invoiced + lateInvoiced,
    awaitingInvoiceTokenCount: awaiting + created,
    dueTokenCount: unsent + (sent - settled) + unassigned + unacknowledged + planned,
    quarantinedTokenCount: sumOf(held),
    uninvoicedTokenCount: sumOf(lost),
    writtenOffTokenCount: writtenOff,
  };
  return {
    collectedTokenCount: collected,
    ...parts,
    quarantinedByReason: Object.fromEntries(held.map((row) => [row.reason, row.total])),
    uninvoicedByReason: Object.fromEntries(lost.map((row) => [row.detail ?? '', row.total])),
    differenceTokenCount: Object.values(parts).reduce((rest, part) => rest - part, collected),
    deliveredTokenCount: all,
  };
}

function sumOf(rows: readonly { total: bigint }[]): bigint {
  return rows.reduce((sum, row) => sum + row.total, 0n);
}
