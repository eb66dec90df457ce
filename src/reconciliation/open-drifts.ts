import { sql } from 'kysely';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';

/** One difference that is not resolved: what the ledger says of an hour, and what the outside system says. */
export interface OpenDrift {
  boundary: 'openmeter' | 'stripe';
  /** `still_due` while nobody can tell yet. */
  driftClass: string;
  windowStart: Date;
  /** The subject at OpenMeter, the customer at Stripe. */
  whose: string;
  meter: string;
  ledgerTokenCount: bigint;
  outsideTokenCount: bigint;
  firstSeenAt: Date;
}

/** The oldest first, at most so many. */
export async function listOpenDrifts(snapshot: LedgerSnapshot, limit: number): Promise<OpenDrift[]> {
  const { rows } = await sql<OpenDrift>`
    select 'openmeter' as boundary, coalesce(class, 'still_due') as "driftClass", window_start as "windowStart",
      subject as whose, meter_slug as meter, ledger_value as "ledgerTokenCount", metered_value as "outsideTokenCount",
      first_seen_at as "firstSeenAt"
    from drifts where resolved_at is null
    union all
    select 'stripe', class, window_start, customer_id, stripe_meter_id, acknowledged_value, counted_value, first_seen_at
    from billing_drifts where resolved_at is null
    order by 8, 1, 3, 4, 5 limit ${limit}`.execute(snapshot);
  return rows;
}
