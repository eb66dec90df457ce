import { sql } from 'kysely';
import type { CloseState } from '../billing/states.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { readKeptSums } from '../platform/database/kept-sums.ts';

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
  const kept = await readKeptSums(database);
  const counted = kept.counts('closes');
  const states = await sql<CloseTotals['states'][number]>`
    select state, count, (select min(state_at) from closes where closes.state = counted.state) as "oldestAt"
    from unnest(${counted.map(({ part }) => part)}::text[], ${counted.map(({ count }) => String(count))}::bigint[])
      as counted(state, count) order by state`.execute(database);
  const certificates = kept.of('close_certificates');
  const lateItems = await sql<CloseTotals['lateItems'][number]>`
    select state, count(*) as count, sum(token_count)::bigint as "tokenCount" from late_items group by state order by state`.execute(
    database,
  );
  const credits = await sql<CloseTotals['credits'][number]>`
    select state, count(*) as count from credit_proposals group by state order by state`.execute(database);
  const odd = await sql<{ mismatches: bigint; deadline: Date | null }>`
    select (select count(*) from closes where confirmed_at is not null and last_error is not null) as mismatches,
      (select min(deadline) from closes where state = 'held') as deadline`.execute(database);
  return {
    states: states.rows,
    certificateCount: certificates.rowCount,
    driftTokenCount: certificates.tokenCount,
    lateItems: lateItems.rows,
    credits: credits.rows,
    mismatchCount: odd.rows[0]?.mismatches ?? 0n,
    nextDeadline: odd.rows[0]?.deadline ?? null,
  };
}
