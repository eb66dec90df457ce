import { sql } from 'kysely';
import type { LedgerDatabase } from './database.ts';
import { LEDGER_MIGRATION_NAMES } from './migration-names.ts';

export interface PipelineStatus {
  /** Up to which ingestion time each source has been collected. */
  watermarks: { source: string; position: Date; updatedAt: Date }[];
  usageEvents: Record<'pending' | 'sent' | 'confirmed' | 'quarantined', bigint>;
  hours: { openCount: bigint; settledCount: bigint; oldestOpenHour: Date | null };
  meterPushes: Record<'pending' | 'delivered' | 'refused', bigint>;
  /** Settled usage that no meter push carries yet and that is not in quarantine. */
  unassignedTokenCount: bigint;
  quarantine: QuarantineSummary[];
  openDriftCount: bigint;
}

/** The reason of usage whose meter event Stripe refused for good. */
export const REFUSED_BY_STRIPE = 'refused_by_stripe';

export interface QuarantineSummary {
  /** Where the usage waits: before metering (the first two) or before billing (the others). */
  stage: 'source_item' | 'usage_event' | 'hourly_usage' | 'meter_push';
  reason: string;
  rowCount: bigint;
  tokenCount: bigint;
}

/** The pipeline as the ledger knows it, read in one snapshot. */
export async function readPipelineStatus(database: LedgerDatabase): Promise<PipelineStatus> {
  return await database
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (snapshot) => {
      const watermarks = await snapshot.selectFrom('watermarks').selectAll().orderBy('source').execute();
      const events = await snapshot
        .selectFrom('usage_events')
        .select(['status', (expression) => expression.fn.countAll<bigint>().as('count')])
        .groupBy('status')
        .execute();
      const hours = await snapshot
        .selectFrom('settlements')
        .select(({ fn }) => [
          fn.countAll<bigint>().filterWhere('status', '=', 'open').as('open_count'),
          fn.countAll<bigint>().filterWhere('status', '=', 'settled').as('settled_count'),
          fn.min('window_start').filterWhere('status', '=', 'open').as('oldest_open'),
        ])
        .executeTakeFirstOrThrow();
      const pushes = await snapshot
        .selectFrom('meter_pushes')
        .select(['status', (expression) => expression.fn.countAll<bigint>().as('count')])
        .groupBy('status')
        .execute();
      const unassigned = await snapshot
        .selectFrom('hourly_usage')
        .select(sql<bigint>`coalesce(sum(delta_token_count), 0)::bigint`.as('token_count'))
        .where('meter_push_id', 'is', null)
        .where('quarantine_reason', 'is', null)
        .executeTakeFirstOrThrow();
      const drifts = await snapshot
        .selectFrom('drifts')
        .select(({ fn }) => fn.countAll<bigint>().as('count'))
        .where('resolved_at', 'is', null)
        .executeTakeFirstOrThrow();
      return {
        watermarks: watermarks.map((row) => ({
          source: row.source,
          position: row.position,
          updatedAt: row.updated_at,
        })),
        usageEvents: { pending: 0n, sent: 0n, confirmed: 0n, quarantined: 0n, ...countsOf(events) },
        hours: {
          openCount: hours.open_count,
          settledCount: hours.settled_count,
          oldestOpenHour: hours.oldest_open,
        },
        meterPushes: { pending: 0n, delivered: 0n, refused: 0n, ...countsOf(pushes) },
        unassignedTokenCount: unassigned.token_count,
        quarantine: await readQuarantineSummary(snapshot),
        openDriftCount: drifts.count,
      };
    });
}

function countsOf(rows: { status: string; count: bigint }[]): Record<string, bigint> {
  return Object.fromEntries(rows.map((row) => [row.status, row.count]));
}

/**
 * Every stage and reason for which usage waits, the most tokens first. Of source items only prompt and
 * completion count as tokens: cached and reasoning are parts of these, and the total is their sum.
 */
export async function readQuarantineSummary(database: LedgerDatabase): Promise<QuarantineSummary[]> {
  const result = await sql<{
    stage: QuarantineSummary['stage'];
    reason: string;
    row_count: bigint;
    token_count: bigint;
  }>`
    select 'source_item' as stage, quarantine_reason as reason, count(*) as row_count,
           coalesce(sum(token_count) filter (where token_kind in ('prompt', 'completion')), 0)::bigint as token_count
      from source_items where quarantine_reason is not null group by quarantine_reason
    union all
    select 'usage_event', quarantine_reason, count(*),
           coalesce(sum(prompt_token_count + completion_token_count), 0)::bigint
      from usage_events where status = 'quarantined' and kind = 'usage' group by quarantine_reason
    union all
    select 'hourly_usage', quarantine_reason, count(*), coalesce(sum(delta_token_count), 0)::bigint
      from hourly_usage where quarantine_reason is not null group by quarantine_reason
    union all
    select 'meter_push', ${REFUSED_BY_STRIPE}, count(*), coalesce(sum(delta_token_count), 0)::bigint
      from meter_pushes where status = 'refused' having count(*) > 0
    order by token_count desc, stage, reason`.execute(database);
  return result.rows.map((row) => ({
    stage: row.stage,
    reason: row.reason,
    rowCount: row.row_count,
    tokenCount: row.token_count,
  }));
}

/** Migrations that the ledger lacks, by name; empty when it is ready. Any failure to connect is thrown. */
export async function findMissingMigrations(database: LedgerDatabase): Promise<string[]> {
  const known = await sql<{ present: boolean }>`
    select to_regclass('ledger_migrations') is not null as present`.execute(database);
  if (known.rows[0]?.present !== true) return [...LEDGER_MIGRATION_NAMES];
  const applied = await sql<{ name: string }>`select name from ledger_migrations`.execute(database);
  const names = new Set(applied.rows.map((row) => row.name));
  return LEDGER_MIGRATION_NAMES.filter((name) => !names.has(name));
}
