import { sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';

/** How OpenMeter's sink is, as far as the ledger knows. */
export interface SinkState {
  /** OpenMeter takes events and shows none: since when the first of them is waiting, and when that was noticed. */
  outage: { since: Date; noticedAt: Date } | null;
  /** Subjects whose events do not show, while those of others do: perhaps a partition that nobody reads. */
  stuckSubjectCount: bigint;
  stuckSince: Date | null;
}

export async function readSinkState(database: LedgerDatabase): Promise<SinkState> {
  const rows = await sql<{
    since: Date | null;
    noticedAt: Date | null;
    stuckCount: bigint;
    stuckSince: Date | null;
  }>`
    select outage.since, outage.noticed_at as "noticedAt", stuck.count as "stuckCount", stuck.since as "stuckSince"
    from (select count(*) as count, min(created_at) as since from sink_canaries
          where canary_id is not null and unseen_count > 0) stuck
    left join sink_outages outage on outage.ended_at is null`.execute(database);
  const row = rows.rows[0];
  const { since = null, noticedAt = null, stuckCount = 0n, stuckSince = null } = row ?? {};
  return {
    outage: since === null || noticedAt === null ? null : { since, noticedAt },
    stuckSubjectCount: stuckCount,
    stuckSince,
  };
}
