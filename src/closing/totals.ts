import { sql } from 'kysely';
import type { CloseState } from '../billing/states.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** How far the closes are, and what a person should look at. */
export interface CloseTotals {
  states: { state: CloseState; count: bigint; oldestAt: Date }[];
  certificateCount: bigint;
  /** By which the certificates' halves differ, in all: 0 unless somebody released, or Stripe was faster. */
  driftTokenCount: bigint;
  /** Late items by state, with their tokens. */
  lateItems: { state: string; count: bigint; tokenCount: bigint }[];
  credits: { state: string; count: bigint }[];
  /** Invoices whose final total is not the certified one. */
  mismatchCount: bigint;
  /** The earliest instant at which Stripe finalizes a held invoice by itself. */
  nextDeadline: Date | null;
}

export async function readCloseTotals(database: LedgerDatabase): Promise<CloseTotals> {
  const states = await sql<CloseTotals['states'][number]>`
    select state, count(*) as count, min(state_at) as "oldestAt" from closes group by state order by state`.execute(
    database,
  );
  const certificates = await sql<{ count: bigint; tokens: bigint }>`
    select count(*) as count, coalesce(sum(drift_token_count), 0)::bigint as tokens from close_certificates`.execute(
    database,
  );
  const lateItems = await sql<CloseTotals['lateItems'][number]>`
    select state, count(*) as count, sum(token_count)::bigint as "tokenCount" from late_items group by state order by state`.execute(
    database,
  );
  const credits = await sql<CloseTotals['credits'][number]>`
    select state, count(*) as count from credit_proposals group by state order by state`.execute(database);
  const odd = await sql<{ mismatches: bigint; deadline: Date | null }>`
    select count(*) filter (where confirmed_at is not null and last_error is not null) as mismatches,
      min(deadline) filter (where state = 'held') as deadline from closes`.execute(database);
  return {
    states: states.rows,
    certificateCount: certificates.rows[0]?.count ?? 0n,
    driftTokenCount: certificates.rows[0]?.tokens ?? 0n,
    lateItems: lateItems.rows,
    credits: credits.rows,
    mismatchCount: odd.rows[0]?.mismatches ?? 0n,
    nextDeadline: odd.rows[0]?.deadline ?? null,
  };
}
