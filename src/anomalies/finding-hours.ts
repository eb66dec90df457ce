import { sql } from 'kysely';
import { RULES } from '../../pricing/anomalies/rules.ts';
import { addMs, HOUR_MS } from '../platform/clock.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerTransaction } from '../platform/database/database.ts';
import type { RunDecision } from './decide-run.ts';
import type { Run } from './runs.ts';
import { splitFinding } from './split-finding.ts';
import type { Standout } from './standouts.ts';

const JOB = 'job:find-anomalies';

/**
 * Keeps an hour of a finding, and what the finding is with it.
 * @returns whether a person needs to look at it from now on
 */
export async function keepHour(
  transaction: LedgerTransaction,
  kept: {
    hour: Date;
    standout: Standout;
    decision: RunDecision | null;
    run: Run | null;
    now: Date;
  },
): Promise<boolean> {
  const { hour, standout, decision, run, now } = kept;
  const { customer, judged, day } = standout;
  const held = run?.findingId ?? (await openFinding(transaction, customer.customerId, { hour, now }));
  const own =
    decision?.isRaised === true
      ? await splitFinding(transaction, { findingId: held, hours: decision.runHours, now })
      : null;
  if (own !== null) await sumFinding(transaction, held, now);
  const findingId = own ?? held;
  // A day stays above two sigmas long after what made it so: that alone prolongs nothing but what rests on days.
  const prolongs = judged.moved !== null || run === null || run.hours.length === 0;
  if (prolongs) await insertHour(transaction, findingId, kept);
  const moved = decision?.moved.map(({ part, sharePercent }) => ({
    dimension: part.dimension,
    value: part.value,
    sharePercent,
  }));
  // The hours with most of what is too much give a finding its name, and not the last ones; what a person was told of keeps it,
  // whatever else the customer does beside it that needs nobody.
  const [isRaisedNow, isChief] = [decision?.isRaised ?? false, decision?.isChief ?? false];
  const says = sql`(case when finding.raised_at is null then ${isRaisedNow || isChief} or finding.shape is null
    else ${isRaisedNow && isChief} end)`;
  const changed = await sql<{ is_raised: boolean }>`
    with before as (
      select raised_at from anomaly_findings where anomaly_finding_id = ${String(findingId)}::bigint for update)
    update anomaly_findings as finding set changed_at = ${now},
      shape = case when ${says} then coalesce(${decision?.shape ?? null}, shape) else shape end,
      explanations = case when ${says} then coalesce(${decision === null ? null : [...decision.explanations]}::text[], explanations)
        else explanations end,
      moved = case when ${says} then coalesce(${moved === undefined ? null : JSON.stringify(moved)}::jsonb, moved) else moved end,
      day_ahead_pico_usd = coalesce(${decision === null ? null : String(decision.dayAheadPicoUsd)}::numeric, day_ahead_pico_usd),
      raised_at = coalesce(finding.raised_at, case when ${isRaisedNow} then ${now}::timestamptz end),
      is_above_sigma = is_above_sigma or ${day.isAbove},
      score = greatest(score::numeric, ${textOf(judged.score)}::numeric)::text,
      sigma_score = greatest(sigma_score::numeric, ${textOf(day.score)}::numeric)::text
    from before where anomaly_finding_id = ${String(findingId)}::bigint
    returning finding.raised_at is not null and before.raised_at is null as is_raised`.execute(transaction);
  await sumFinding(transaction, findingId, now);
  const isRaised = changed.rows[0]?.is_raised ?? false;
  if (isRaised) {
    await writeAudit(transaction, {
      actor: JOB,
      action: 'anomalies.raise',
      target: `anomaly-${findingId}`,
      details: { customer_id: customer.customerId, shape: decision?.shape ?? null, moved },
      now,
    });
  }
  return isRaised;
}

async function insertHour(
  transaction: LedgerTransaction,
  findingId: bigint,
  { hour, standout: { judged } }: { hour: Date; standout: Standout },
): Promise<void> {
  const { usualMean } = judged;
  await sql`
    insert into anomaly_finding_hours (anomaly_finding_id, window_start, moved, excess_pico_usd, usual_pico_usd,
      usual_cost_pico_usd, usual_request_count, usual_token_count, usual_user_count)
    values (${String(findingId)}::bigint, ${hour}, ${judged.moved ?? ''}, ${String(judged.excessPicoUsd)}::numeric,
      ${String(judged.usualPicoUsd)}::numeric, ${String(usualMean.costPicoUsd)}::numeric,
      ${String(usualMean.requestCount)}::bigint, ${String(usualMean.tokenCount)}::bigint, ${usualMean.userCount})
    on conflict (anomaly_finding_id, window_start) do update set moved = excluded.moved,
      excess_pico_usd = excluded.excess_pico_usd, usual_pico_usd = excluded.usual_pico_usd,
      usual_cost_pico_usd = excluded.usual_cost_pico_usd, usual_request_count = excluded.usual_request_count,
      usual_token_count = excluded.usual_token_count, usual_user_count = excluded.usual_user_count`.execute(
    transaction,
  );
}

const textOf = (score: number | null) => (score === null ? null : score.toFixed(1));

async function openFinding(
  transaction: LedgerTransaction,
  customerId: string,
  { hour, now }: { hour: Date; now: Date },
): Promise<bigint> {
  const opened = await sql<{ id: bigint }>`
    insert into anomaly_findings (customer_id, first_hour, last_hour, state, cost_pico_usd, usual_pico_usd, excess_pico_usd,
      day_ahead_pico_usd, is_above_sigma, opened_at, changed_at)
    values (${customerId}, ${hour}, ${hour}, 'open', 0, 0, 0, 0, false, ${now}, ${now})
    returning anomaly_finding_id as id`.execute(transaction);
  return opened.rows[0]?.id ?? 0n;
}

/** From the hours it has. */
async function sumFinding(transaction: LedgerTransaction, findingId: bigint, now: Date): Promise<void> {
  await sql`
    update anomaly_findings as finding set first_hour = sums.first_hour, last_hour = sums.last_hour, cost_pico_usd = sums.cost,
      usual_pico_usd = sums.usual, excess_pico_usd = sums.excess,
      state = case when sums.last_hour < ${addMs(now, -(RULES.quietHours + 1) * HOUR_MS)} then 'ended' else 'open' end,
      ended_at = case when sums.last_hour < ${addMs(now, -(RULES.quietHours + 1) * HOUR_MS)} then ${now}::timestamptz end
    from (
      select min(kept.window_start) as first_hour, max(kept.window_start) as last_hour,
        coalesce(sum(usage.cost_pico_usd), 0) as cost, coalesce(sum(kept.usual_pico_usd), 0) as usual,
        coalesce(sum(kept.excess_pico_usd), 0) as excess
      from anomaly_finding_hours as kept
      join anomaly_findings using (anomaly_finding_id)
      left join anomaly_hours as usage on usage.customer_id = anomaly_findings.customer_id
        and usage.window_start = kept.window_start
      where kept.anomaly_finding_id = ${String(findingId)}::bigint having count(*) > 0) as sums
    where finding.anomaly_finding_id = ${String(findingId)}::bigint`.execute(transaction);
}

/**
 * Takes an hour from findings whose customer is no longer above the usual in it. A finding without any hour left is withdrawn,
 * once: later data undid it.
 * @returns how many are withdrawn
 */
export async function dropHours(
  transaction: LedgerTransaction,
  { hour, stillAbove, now }: { hour: Date; stillAbove: readonly string[]; now: Date },
): Promise<number> {
  const dropped = await sql<{ id: bigint }>`
    delete from anomaly_finding_hours as kept using anomaly_findings as finding
    where kept.window_start = ${hour} and finding.anomaly_finding_id = kept.anomaly_finding_id
      and finding.customer_id <> all(${[...stillAbove]}::text[])
    returning kept.anomaly_finding_id as id`.execute(transaction);
  let withdrawnCount = 0;
  for (const { id } of dropped.rows) {
    const withdrawn = await sql<{ customer_id: string }>`
      update anomaly_findings as finding set state = 'withdrawn', ended_at = ${now}, changed_at = ${now}, excess_pico_usd = 0,
        day_ahead_pico_usd = 0
      where anomaly_finding_id = ${String(id)}::bigint and state <> 'withdrawn' and not exists (
        select from anomaly_finding_hours as kept where kept.anomaly_finding_id = finding.anomaly_finding_id)
      returning customer_id`.execute(transaction);
    const [finding] = withdrawn.rows;
    if (finding === undefined) {
      await sumFinding(transaction, id, now);
      continue;
    }
    withdrawnCount += 1;
    await writeAudit(transaction, {
      actor: JOB,
      action: 'anomalies.withdraw',
      target: `anomaly-${id}`,
      details: { customer_id: finding.customer_id, window_start: hour.toISOString() },
      now,
    });
  }
  return withdrawnCount;
}
