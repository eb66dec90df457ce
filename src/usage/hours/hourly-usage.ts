import { sql } from 'kysely';
import { addMs } from '../../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import type { TokenType } from '../../platform/database/schema/schema.ts';
import type { UsageKey } from '../key.ts';
import type { HourPart } from './hour-parts.ts';

/** The settled total of one key and token type in one hour, or in a part of it. */
export interface SettledUsage extends UsageKey, HourPart {
  windowStart: Date;
  tokenType: TokenType;
  tokenCount: bigint;
}

export interface SettledActivity extends UsageKey {
  windowStart: Date;
  reasoningTokenCount: bigint;
  requestCount: bigint;
}

/** A key whose meter differs from the ledger. */
export interface MeterDrift extends UsageKey {
  windowStart: Date;
  meterSlug: string;
  ledgerValue: bigint;
  meteredValue: bigint;
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

const instants = (rows: readonly { windowStart: Date }[]) => rows.map((row) => row.windowStart.toISOString());
const texts = <Row>(rows: readonly Row[], pick: (row: Row) => string | bigint) =>
  rows.map((row) => String(pick(row)));

/**
 * Says of rows that no push carries yet that they cover less of their hour than before: it was divided since. Their
 * counts stay; the revisions that follow move the difference to the other part.
 */
async function narrowParts(transaction: LedgerTransaction, usage: readonly SettledUsage[]): Promise<void> {
  const divided = usage.filter((row) => row.partEndMinute < 60);
  if (divided.length === 0) return;
  await sql`
    update hourly_usage h set part_end_minute = d.part_end
    from unnest(${instants(divided)}::timestamptz[], ${texts(divided, (row) => row.subject)}::text[],
      ${texts(divided, (row) => row.feature)}::text[], ${texts(divided, (row) => row.model)}::text[],
      ${texts(divided, (row) => row.deployment)}::text[], ${texts(divided, (row) => row.tokenType)}::text[],
      ${divided.map((row) => row.partStartMinute)}::smallint[], ${divided.map((row) => row.partEndMinute)}::smallint[])
      as d(window_start, subject, feature, model, deployment, token_type, part_start, part_end)
    where h.window_start = d.window_start and h.subject = d.subject and h.feature = d.feature and h.model = d.model
      and h.deployment = d.deployment and h.token_type = d.token_type and h.part_start_minute = d.part_start
      and h.part_end_minute > d.part_end and h.meter_push_id is null and h.written_off_at is null`.execute(
    transaction,
  );
}

/** Appends a revision where the total moved; equal totals write nothing, so a replay is silent. */
async function insertRevisions(
  transaction: LedgerTransaction,
  usage: readonly SettledUsage[],
  now: Date,
): Promise<number> {
  if (usage.length === 0) return 0;
  const inserted = await sql`
    insert into hourly_usage (window_start, subject, feature, model, deployment, token_type, revision, token_count,
      delta_token_count, part_start_minute, part_end_minute, created_at)
    select d.window_start, d.subject, d.feature, d.model, d.deployment, d.token_type, coalesce(p.revision, 0) + 1,
      d.token_count, d.token_count - coalesce(p.token_count, 0), d.part_start, d.part_end, ${now}::timestamptz
    from unnest(${instants(usage)}::timestamptz[], ${texts(usage, (row) => row.subject)}::text[],
      ${texts(usage, (row) => row.feature)}::text[], ${texts(usage, (row) => row.model)}::text[],
      ${texts(usage, (row) => row.deployment)}::text[], ${texts(usage, (row) => row.tokenType)}::text[],
      ${texts(usage, (row) => row.tokenCount)}::bigint[], ${usage.map((row) => row.partStartMinute)}::smallint[],
      ${usage.map((row) => row.partEndMinute)}::smallint[])
      as d(window_start, subject, feature, model, deployment, token_type, token_count, part_start, part_end)
    left join lateral (
      select revision, token_count from hourly_usage h
      where h.window_start = d.window_start and h.subject = d.subject and h.feature = d.feature
        and h.model = d.model and h.deployment = d.deployment and h.token_type = d.token_type
        and h.part_start_minute = d.part_start
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
    insert into hourly_activity (window_start, subject, feature, model, deployment, reasoning_token_count, request_count, updated_at)
    select *, ${now}::timestamptz from unnest(${instants(activity)}::timestamptz[],
      ${texts(activity, (row) => row.subject)}::text[], ${texts(activity, (row) => row.feature)}::text[],
      ${texts(activity, (row) => row.model)}::text[], ${texts(activity, (row) => row.deployment)}::text[],
      ${texts(activity, (row) => row.reasoningTokenCount)}::bigint[], ${texts(activity, (row) => row.requestCount)}::bigint[])
    on conflict (window_start, subject, feature, model, deployment) do update
      set reasoning_token_count = excluded.reasoning_token_count, request_count = excluded.request_count,
          updated_at = excluded.updated_at`.execute(transaction);
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
    insert into drifts as known (window_start, meter_slug, subject, feature, model, deployment, ledger_value, metered_value,
      first_seen_at, last_seen_at)
    select *, ${now}::timestamptz, ${now}::timestamptz from unnest(${instants(drifts)}::timestamptz[],
      ${texts(drifts, (row) => row.meterSlug)}::text[], ${texts(drifts, (row) => row.subject)}::text[],
      ${texts(drifts, (row) => row.feature)}::text[], ${texts(drifts, (row) => row.model)}::text[],
      ${texts(drifts, (row) => row.deployment)}::text[], ${texts(drifts, (row) => row.ledgerValue)}::bigint[],
      ${texts(drifts, (row) => row.meteredValue)}::bigint[])
    on conflict (window_start, meter_slug, subject, feature, model, deployment) do update
      set ledger_value = excluded.ledger_value, metered_value = excluded.metered_value,
          last_seen_at = excluded.last_seen_at, resolved_at = null,
          -- Resolved a moment ago by this very transaction is still open; resolved before, it is a new drift.
          first_seen_at = case when known.resolved_at < excluded.first_seen_at then excluded.first_seen_at else known.first_seen_at end,
          class = case when known.resolved_at < excluded.first_seen_at then null else known.class end,
          found_sound_at = case when known.resolved_at < excluded.first_seen_at then null else known.found_sound_at end`.execute(
    transaction,
  );
}
