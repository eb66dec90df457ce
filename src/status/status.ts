import { sql } from 'kysely';
import { type FindingState, readFindingState } from '../anomalies/finding-state.ts';
import { readSummaryWaits, type SummaryWaits } from '../billing/summary-waits.ts';
import { type AttributionSummary, readAttributionSummary } from '../catalog/attribution-summary.ts';
import { type DoubleBinding, readDoubleBindings } from '../catalog/billing-places.ts';
import { type CloseTotals, readCloseTotals } from '../closing/totals.ts';
import { countDueCostDays } from '../costs/notes.ts';
import { readUnknownCosts, type UnknownModelCost } from '../costs/queries.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { readKeptSums } from '../platform/database/kept-sums.ts';
import { readStepLeases, type StepLease } from '../platform/database/leases.ts';
import { LEDGER_MIGRATION_NAMES, migrationSlug } from '../platform/database/migration-names.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';
import { type PriceBookAge, readPriceBookAge } from '../prices/age.ts';
import { type PriceSyncState, readPriceSyncState } from '../prices/sync/runs.ts';
import { type QuarantineSummary, readQuarantineSummary } from '../quarantine/entries.ts';
import { type DriftMetrics, readDriftMetrics } from '../reconciliation/drift-metrics.ts';
import { readNotedMetrics } from '../usage/collection/noted-metrics.ts';
import { IS_COLLECTION } from '../usage/collection/watermarks.ts';
import { readSinkState, type SinkState } from '../usage/events/sink-state.ts';
import { readDueWebhooks, readWebhookCounts, type WebhookCount } from '../webhook-events/events.ts';
import { countUndividedPushes, readRescannedThrough } from './metric-queries.ts';
import { type QueueState, readQueueStates } from './queue-states.ts';
import { readStepRuns, type StepRun } from './step-runs.ts';
import { countTokens, type TokenTotals } from './totals.ts';

export interface PipelineStatus {
  /** Up to which ingestion time each source has been collected. */
  watermarks: { source: string; position: Date; updatedAt: Date }[];
  usageEvents: Record<'pending' | 'sent' | 'confirmed' | 'quarantined', bigint>;
  hours: { openCount: bigint; settledCount: bigint; oldestOpenHour: Date | null };
  meterPushes: Record<'pending' | 'delivered' | 'refused', bigint>;
  /** Settled usage that no meter push carries yet and that is not in quarantine. */
  unassignedTokenCount: bigint;
  quarantine: QuarantineSummary[];
  /** Metrics that nobody knows, and that counted nothing so far as they are told here. */
  notedMetrics: Awaited<ReturnType<typeof readNotedMetrics>>;
  openDriftCount: bigint;
  summaryWaits: SummaryWaits;
  openMeterSink: SinkState;
  closes: CloseTotals;
  priceSync: PriceSyncState;
  /** Days whose cost waits to be rated (again), and tokens that no price is known for. */
  costs: { dueDayCount: bigint; unknown: UnknownModelCost[] };
  steps: StepRun[];
  leases: StepLease[];
  queues: QueueState[];
}

/** The pipeline as the ledger knows it, read in one snapshot. */
export async function readPipelineStatus(database: LedgerDatabase): Promise<PipelineStatus> {
  return await readSnapshot(database, selectPipelineStatus);
}

/** The status, and what webhooks and the catalog have waiting: all that a person is shown of the pipeline. */
export interface StatusReport extends PipelineStatus {
  /** Where every token stands. */
  totals: TokenTotals;
  webhooks: { dueCount: bigint; oldestDueAt: Date | null };
  doubleBindings: DoubleBinding[];
  /** Customers whose users OpenMeter does not all have. */
  attributions: AttributionSummary[];
  anomalies: FindingState;
  priceBook: PriceBookAge;
}

export async function readStatusReport(database: LedgerDatabase, now: Date): Promise<StatusReport> {
  return await readSnapshot(database, (snapshot) => selectStatusReport(snapshot, now));
}

/** What `/metrics` tells, read in one snapshot. */
export interface StatusMetrics {
  report: StatusReport;
  rescans: { source: string; position: Date }[];
  undividedPushCount: bigint;
  reconciliation: DriftMetrics;
  webhookCounts: WebhookCount[];
}

export async function readStatusMetrics(database: LedgerDatabase, now: Date): Promise<StatusMetrics> {
  return await readSnapshot(database, async (snapshot) => ({
    report: await selectStatusReport(snapshot, now),
    rescans: await readRescannedThrough(snapshot),
    undividedPushCount: await countUndividedPushes(snapshot),
    reconciliation: await readDriftMetrics(snapshot, now),
    webhookCounts: await readWebhookCounts(snapshot),
  }));
}

/** The same in a snapshot that holds more. */
export async function selectStatusReport(snapshot: LedgerSnapshot, now: Date): Promise<StatusReport> {
  return {
    ...(await selectPipelineStatus(snapshot)),
    totals: await countTokens(snapshot),
    webhooks: await readDueWebhooks(snapshot),
    doubleBindings: await readDoubleBindings(snapshot, now),
    attributions: await readAttributionSummary(snapshot),
    anomalies: await readFindingState(snapshot, now),
    priceBook: await readPriceBookAge(snapshot, now),
  };
}

async function selectPipelineStatus(snapshot: LedgerSnapshot): Promise<PipelineStatus> {
  const watermarks = await snapshot
    .selectFrom('watermarks')
    .selectAll()
    .where(IS_COLLECTION)
    .orderBy('source')
    .execute();
  const kept = await readKeptSums(snapshot);
  const oldest = await snapshot
    .selectFrom('settlements')
    .select(({ fn }) => fn.min('window_start').as('window_start'))
    .where('status', '=', 'open')
    .executeTakeFirstOrThrow();
  const pushCount = (...parts: string[]) =>
    parts.reduce((sum, part) => sum + kept.of('meter_pushes', part).rowCount, 0n);
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
    usageEvents: {
      pending: kept.of('usage_events', 'pending').rowCount,
      sent: kept.of('usage_events', 'sent').rowCount,
      confirmed: kept.of('usage_events', 'confirmed').rowCount,
      quarantined: kept.of('usage_events', 'quarantined').rowCount,
    },
    hours: {
      openCount: kept.of('settlements', 'open').rowCount,
      settledCount: kept.of('settlements', 'settled').rowCount,
      oldestOpenHour: oldest.window_start,
    },
    meterPushes: {
      pending: pushCount('pending'),
      delivered: pushCount('delivered', 'delivered invoiced', 'delivered uninvoiced'),
      refused: pushCount('refused'),
    },
    unassignedTokenCount: unassigned.token_count,
    quarantine: await readQuarantineSummary(snapshot),
    notedMetrics: await readNotedMetrics(snapshot),
    openDriftCount: drifts.count,
    summaryWaits: await readSummaryWaits(snapshot),
    openMeterSink: await readSinkState(snapshot),
    closes: await readCloseTotals(snapshot),
    costs: { dueDayCount: await countDueCostDays(snapshot), unknown: await readUnknownCosts(snapshot) },
    priceSync: await readPriceSyncState(snapshot),
    steps: await readStepRuns(snapshot),
    leases: await readStepLeases(snapshot),
    queues: await readQueueStates(snapshot),
  };
}

/** Migrations that the ledger lacks, by name; empty when it is ready. Any failure to connect is thrown. */
export async function findMissingMigrations(database: LedgerDatabase): Promise<string[]> {
  return await readSnapshot(database, readMissingMigrations);
}

/** The same, as part of a reading of more. */
export async function readMissingMigrations(snapshot: LedgerSnapshot): Promise<string[]> {
  const known = await sql<{ present: boolean }>`
    select to_regclass('ledger_migrations') is not null as present`.execute(snapshot);
  const applied =
    known.rows[0]?.present === true
      ? (await sql<{ name: string }>`select name from ledger_migrations`.execute(snapshot)).rows
      : [];
  const slugs = new Set(applied.map((row) => migrationSlug(row.name)));
  return LEDGER_MIGRATION_NAMES.filter((name) => !slugs.has(migrationSlug(name)));
}
