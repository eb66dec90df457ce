import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';

export interface DriftMetrics {
  /** Unresolved differences; keys and meters in an hour with OpenMeter, customers and meters in an hour with Stripe. */
  drifts: { boundary: 'openmeter' | 'stripe'; driftClass: string; count: bigint; oldestAt: Date }[];
  /** Customers and meters that wait to be looked at again. */
  doubtedPairCount: bigint;
  /** Quantities on invoices that are not what the delivered pushes say. */
  invoiceDifferenceCount: bigint;
  /** Event summaries read in the UTC day that holds `now`. */
  stripeReads: { routine: number; doubt: number };
}

/** What the reconciliation knows and does, counted. */
export async function readDriftMetrics(database: LedgerDatabase, now: Date): Promise<DriftMetrics> {
  const drifts = await sql<DriftMetrics['drifts'][number]>`
    select 'openmeter' as boundary, coalesce(class, 'still_due') as "driftClass", count(*) as count,
      min(first_seen_at) as "oldestAt"
    from drifts where resolved_at is null group by 2
    union all
    select 'stripe', class, count(*), min(first_seen_at) from billing_drifts where resolved_at is null group by 2
    order by 1, 2`.execute(database);
  const counts = await sql<{ doubted: bigint; disagreeing: bigint; routine: number; doubt: number }>`
    select (select count(*) from billing_checks where next_check_at is not null) as doubted,
      (select count(*) from invoice_quantities where not agrees) as disagreeing,
      coalesce((select read_count from stripe_reads where read_on = today.day and purpose = 'routine'), 0) as routine,
      coalesce((select read_count from stripe_reads where read_on = today.day and purpose = 'doubt'), 0) as doubt
    from (select ${now.toISOString().slice(0, 10)}::date as day) as today`.execute(database);
  const row = counts.rows[0];
  return {
    drifts: drifts.rows,
    doubtedPairCount: row?.doubted ?? 0n,
    invoiceDifferenceCount: row?.disagreeing ?? 0n,
    stripeReads: { routine: row?.routine ?? 0, doubt: row?.doubt ?? 0 },
  };
}
