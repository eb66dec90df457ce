import { sql } from 'kysely';
import {
  ACTIVITY_FIGURES,
  type ActivityFigure,
  FIGURES,
  type MeterSlug,
  type TokenType,
  type UsageFigures,
  type UsageKey,
} from '../../../pricing/usage/shape.ts';
import { addMs } from '../../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import {
  assignments,
  bigintField,
  fieldOf,
  instantField,
  namesOf,
  type RowFields,
  textField,
  unnestRows,
} from '../../platform/database/unnest-rows.ts';
import { figureFields, keyColumns, keyFields, sameKey } from '../columns.ts';
import type { HourPart } from './hour-parts.ts';

/** The settled total of one key and token type in one hour, or in a part of it. */
export interface SettledUsage extends UsageKey, HourPart {
  windowStart: Date;
  tokenType: TokenType;
  tokenCount: bigint;
}

/** What is shown beside an hour's tokens and never added to them. */
export interface SettledActivity
  extends UsageKey,
    Pick<UsageFigures, (typeof FIGURES)[ActivityFigure]['property']> {
  windowStart: Date;
}

/** A key whose meter differs from the ledger. */
export interface MeterDrift extends UsageKey {
  windowStart: Date;
  meterSlug: MeterSlug;
  ledgerValue: bigint;
  meteredValue: bigint;
  /** Null: nobody has looked into it. `counts_disagree`: both halves agree, and the figures contradict each other. */
  driftClass: 'counts_disagree' | null;
}

export interface SettlementResult {
  hours: readonly { windowStart: Date; eventVersion: bigint }[];
  usage: readonly SettledUsage[];
  activity: readonly SettledActivity[];
  drifts: readonly MeterDrift[];
}

/**
 * Commits what was read back: revisions of hourly usage for every key that matched, drifts for those that
 * did not, and the hours as settled where nothing drifted. Hours that got new events since are left open.
 * @returns the hours settled, those that drifted, and the revisions written
 */
export async function commitSettlement(
  database: LedgerDatabase,
  result: SettlementResult,
  times: { now: Date; retryDriftAfterMs: number },
): Promise<{ settledCount: number; driftedCount: number; revisionCount: number }> {
  return await database.transaction().execute(async (transaction) => {
    const unchanged = await lockUnchangedHours(transaction, result.hours);
    const inUnchanged = <Row extends { windowStart: Date }>(rows: readonly Row[]) =>
      rows.filter((row) => unchanged.has(row.windowStart.getTime()));
    const drifts = inUnchanged(result.drifts);
    const drifted = new Set(drifts.map((drift) => drift.windowStart.getTime()));
    const settled = [...unchanged]
      .filter((hour) => !drifted.has(hour))
      .map((hour) => new Date(hour).toISOString());
    await narrowParts(transaction, inUnchanged(result.usage));
    const revisionCount = await insertRevisions(transaction, inUnchanged(result.usage), times.now);
    await upsertActivity(transaction, inUnchanged(result.activity), times.now);
    await recordDrifts(transaction, [...unchanged], drifts, times.now);
    await sql`update settlements set status = 'settled', settled_version = event_version, settled_at = ${times.now},
                next_attempt_at = null
              where window_start = any(${settled}::timestamptz[])`.execute(transaction);
    await sql`update usage_events set status = 'confirmed'
              where window_start = any(${settled}::timestamptz[]) and status = 'sent'`.execute(transaction);
    await sql`update settlements set attempt_count = attempt_count + 1,
                next_attempt_at = ${addMs(times.now, times.retryDriftAfterMs)}
              where window_start = any(${[...drifted].map((hour) => new Date(hour).toISOString())}::timestamptz[])`.execute(
      transaction,
    );
    return { settledCount: settled.length, driftedCount: drifted.size, revisionCount };
  });
}

async function lockUnchangedHours(
  transaction: LedgerTransaction,
  hours: SettlementResult['hours'],
): Promise<Set<number>> {
  const locked = await sql<{ window_start: Date }>`
    select s.window_start from unnest(${hours.map((hour) => hour.windowStart.toISOString())}::timestamptz[],
      ${hours.map((hour) => String(hour.eventVersion))}::bigint[]) as read(window_start, event_version)
    join settlements s on s.window_start = read.window_start and s.event_version = read.event_version
    order by s.window_start for update of s`.execute(transaction);
  return new Set(locked.rows.map((row) => row.window_start.getTime()));
}

const hourFields = <Row extends UsageKey & { windowStart: Date }>(): RowFields<Row> => ({
  window_start: instantField((row) => row.windowStart),
  ...keyFields<Row>((row) => row),
});
const PART_FIELDS: RowFields<SettledUsage> = {
  ...hourFields<SettledUsage>(),
  token_type: textField((row) => row.tokenType),
  part_start_minute: fieldOf('smallint', (row) => row.partStartMinute),
  part_end_minute: fieldOf('smallint', (row) => row.partEndMinute),
};
const USAGE_FIELDS: RowFields<SettledUsage> = {
  ...PART_FIELDS,
  token_count: bigintField((row) => row.tokenCount),
};
const ACTIVITY_FIELDS: RowFields<SettledActivity> = {
  ...hourFields<SettledActivity>(),
  ...figureFields(ACTIVITY_FIGURES),
};
const DRIFT_FIELDS: RowFields<MeterDrift> = {
  ...hourFields<MeterDrift>(),
  meter_slug: textField((row) => row.meterSlug),
  ledger_value: bigintField((row) => row.ledgerValue),
  metered_value: bigintField((row) => row.meteredValue),
  class: textField((row) => row.driftClass),
};

/**
 * Says of rows that no push carries yet that they cover less of their hour than before: it was divided since. Their
 * counts stay; the revisions that follow move the difference to the other part.
 */
async function narrowParts(transaction: LedgerTransaction, usage: readonly SettledUsage[]): Promise<void> {
  const divided = usage.filter((row) => row.partEndMinute < 60);
  if (divided.length === 0) return;
  await sql`
    update hourly_usage h set part_end_minute = d.part_end_minute
    from ${unnestRows('d', divided, PART_FIELDS)}
    where h.window_start = d.window_start and ${sameKey('h', 'd')} and h.token_type = d.token_type
      and h.part_start_minute = d.part_start_minute and h.part_end_minute > d.part_end_minute
      and h.meter_push_id is null and h.uninvoiced_id is null and h.written_off_at is null`.execute(
    transaction,
  );
}

/** One text for a token type of an hour. */
export function settledTypeText(windowStart: Date, tokenType: TokenType): string {
  return `${windowStart.getTime()} ${tokenType}`;
}

/** Token types that these hours have settled usage of, by `settledTypeText`. */
export async function readSettledTypes(
  database: LedgerDatabase,
  hours: readonly Date[],
): Promise<Set<string>> {
  const rows = await sql<{ window_start: Date; token_type: TokenType }>`
    select distinct window_start, token_type from hourly_usage
    where window_start = any(${hours.map((hour) => hour.toISOString())}::timestamptz[])`.execute(database);
  return new Set(rows.rows.map((row) => settledTypeText(row.window_start, row.token_type)));
}

/** Appends a revision where the total moved; equal totals write nothing, so a replay is silent. */
async function insertRevisions(
  transaction: LedgerTransaction,
  usage: readonly SettledUsage[],
  now: Date,
): Promise<number> {
  if (usage.length === 0) return 0;
  const inserted = await sql`
    insert into hourly_usage (${namesOf(USAGE_FIELDS)}, revision, delta_token_count, created_at)
    select d.*, coalesce(p.revision, 0) + 1, d.token_count - coalesce(p.token_count, 0), ${now}::timestamptz
    from ${unnestRows('d', usage, USAGE_FIELDS)}
    left join lateral (
      select revision, token_count from hourly_usage h
      where h.window_start = d.window_start and ${sameKey('h', 'd')} and h.token_type = d.token_type
        and h.part_start_minute = d.part_start_minute
      order by revision desc limit 1) p on true
    where d.token_count <> coalesce(p.token_count, 0)`.execute(transaction);
  return Number(inserted.numAffectedRows ?? 0n);
}

async function upsertActivity(
  transaction: LedgerTransaction,
  activity: readonly SettledActivity[],
  now: Date,
): Promise<void> {
  if (activity.length === 0) return;
  await sql`
    insert into hourly_activity (${namesOf(ACTIVITY_FIELDS)}, updated_at)
    select *, ${now}::timestamptz from ${unnestRows('told', activity, ACTIVITY_FIELDS)}
    on conflict (window_start, ${keyColumns()}) do update
      set ${assignments([...ACTIVITY_FIGURES.map((name) => FIGURES[name].column), 'updated_at'], 'excluded')}`.execute(
    transaction,
  );
}

async function recordDrifts(
  transaction: LedgerTransaction,
  hours: readonly number[],
  drifts: readonly MeterDrift[],
  now: Date,
): Promise<void> {
  await sql`update drifts set resolved_at = ${now}
            where resolved_at is null
              and window_start = any(${hours.map((hour) => new Date(hour).toISOString())}::timestamptz[])`.execute(
    transaction,
  );
  if (drifts.length === 0) return;
  await sql`
    insert into drifts as known (${namesOf(DRIFT_FIELDS)}, first_seen_at, last_seen_at)
    select *, ${now}::timestamptz, ${now}::timestamptz from ${unnestRows('told', drifts, DRIFT_FIELDS)}
    on conflict (window_start, meter_slug, ${keyColumns()}) do update
      set ledger_value = excluded.ledger_value, metered_value = excluded.metered_value,
          last_seen_at = excluded.last_seen_at, resolved_at = null,
          -- Resolved a moment ago by this very transaction is still open; resolved before, it is a new drift.
          first_seen_at = case when known.resolved_at < excluded.first_seen_at then excluded.first_seen_at else known.first_seen_at end,
          -- Of counts that disagree, and of nothing else, the comparison itself says so.
          class = case when excluded.class is not null then excluded.class
            when known.resolved_at < excluded.first_seen_at or known.class = 'counts_disagree' then null else known.class end,
          found_sound_at = case when known.resolved_at < excluded.first_seen_at then null else known.found_sound_at end`.execute(
    transaction,
  );
}
