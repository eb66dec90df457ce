import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { type FindingFigures, type FindingGroup, groupOf, readFindingFigures } from './findings.ts';

/** What stands out at this moment, and up to where usage was judged. */
export interface FindingState {
  /** Findings that may go on, by where they stand for people. */
  openCounts: Record<FindingGroup, bigint>;
  figures: FindingFigures;
  /** The newest hour that was judged; it may still be running. Null: none yet. */
  lastEvaluatedHour: Date | null;
  evaluatedAt: Date | null;
  /** Hours that were summed and wait to be judged. */
  dueHourCount: bigint;
}

export async function readFindingState(database: LedgerDatabase, now: Date): Promise<FindingState> {
  const open = await sql<{ group: FindingGroup; count: bigint }>`
    select ${groupOf(now)} as "group", count(*) as count from anomaly_findings where state = 'open' group by 1`.execute(
    database,
  );
  const countOf = (group: FindingGroup) => open.rows.find((row) => row.group === group)?.count ?? 0n;
  const evaluated = await sql<{ hour: Date; at: Date }>`
    select window_start as hour, judged_at as at from anomaly_summed_hours where judged_at is not null
    order by window_start desc limit 1`.execute(database);
  const due = await sql<{ count: bigint }>`
    select count(*) as count from anomaly_summed_hours where judged_at is null`.execute(database);
  return {
    openCounts: {
      needs_you: countOf('needs_you'),
      acknowledged: countOf('acknowledged'),
      done: countOf('done'),
      highlighted: countOf('highlighted'),
    },
    figures: await readFindingFigures(database, now),
    lastEvaluatedHour: evaluated.rows[0]?.hour ?? null,
    evaluatedAt: evaluated.rows[0]?.at ?? null,
    dueHourCount: due.rows[0]?.count ?? 0n,
  };
}
