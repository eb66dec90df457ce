import { sql } from 'kysely';
import { RULES } from '../../pricing/anomalies/rules.ts';
import { addMs, DAY_MS, HOUR_MS } from '../platform/clock.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { type Creep, findCreeps } from './creep.ts';
import { dayBefore, readDueDay, startOfDay } from './days.ts';
import { keepNoise } from './noise/keep.ts';
import { keepRepeats } from './repeats/keep.ts';

/** So long what each day showed of repeated prompts and of loads is kept: as costs can be asked of. */
const KEPT_DAYS = 400;
const JOB = 'job:find-anomalies';

export interface EvaluatedDay {
  /** Null: no day was due. */
  judgedDay: string | null;
  raisedCount: number;
  withdrawnCount: number;
}

/**
 * Judges the newest whole day by what no single hour shows. Judged again, because later data reached it, it says what it would
 * have said at first: what it no longer says is taken back.
 */
export async function evaluateDay(
  database: LedgerDatabase,
  now: Date,
  signal?: AbortSignal,
): Promise<EvaluatedDay> {
  const due = await readDueDay(database, now);
  if (due === null) return { judgedDay: null, raisedCount: 0, withdrawnCount: 0 };
  signal?.throwIfAborted();
  const { day, summedAt } = due;
  const creeps = await findCreeps(database, day);
  return await database.transaction().execute(async (transaction) => {
    let raisedCount = 0;
    for (const creep of creeps) if (await keepCreep(transaction, creep, { day, now })) raisedCount += 1;
    const withdrawnCount = await dropCreeps(
      transaction,
      creeps.map(({ customerId }) => customerId),
      { day, now },
    );
    await keepRepeats(transaction, day);
    await keepNoise(transaction, day);
    for (const table of ['repeated_prompts', 'deployment_loads']) {
      await sql`delete from ${sql.table(table)} where day < ${dayBefore(day, KEPT_DAYS)}::date`.execute(
        transaction,
      );
    }
    await sql`
      update anomaly_findings set state = 'ended', ended_at = ${now}, changed_at = ${now}
      where state = 'open' and shape = 'creep'
        and last_hour < ${addMs(startOfDay(day), -RULES.creepQuietDays * DAY_MS)}`.execute(transaction);
    await sql`
      insert into anomaly_judged_days (day, summed_at, judged_at) values (${day}::date, ${summedAt}, ${now})
      on conflict (day) do update set summed_at = excluded.summed_at, judged_at = excluded.judged_at`.execute(
      transaction,
    );
    await sql`delete from anomaly_judged_days where day < ${dayBefore(day, RULES.creepBeforeDays)}::date`.execute(
      transaction,
    );
    return { judgedDay: day, raisedCount, withdrawnCount };
  });
}

const lastHourOf = (day: string) => addMs(startOfDay(day), DAY_MS - HOUR_MS);

/** @returns whether a person needs to look at it from now on */
async function keepCreep(
  transaction: LedgerTransaction,
  { customerId, decision, day: { score: sigma, isAbove }, costPicoUsd }: Creep,
  { day, now }: { day: string; now: Date },
): Promise<boolean> {
  const lastHour = lastHourOf(day);
  const first = startOfDay(dayBefore(day, RULES.creepDays - 1));
  const known = await sql<{ id: bigint }>`
    select anomaly_finding_id as id from anomaly_findings
    where customer_id = ${customerId} and shape = 'creep' and state <> 'withdrawn'
      and last_hour >= ${addMs(lastHour, -RULES.creepQuietDays * DAY_MS)}
    order by last_hour desc limit 1`.execute(transaction);
  const excess = decision.excessPicoUsd;
  const figures = sql`explanations = ${[...decision.explanations]}::text[], moved = ${JSON.stringify(decision.moved)}::jsonb,
    state = 'open', ended_at = null, changed_at = ${now},
    raised_at = coalesce(finding.raised_at, case when ${decision.isRaised} then ${now}::timestamptz end),
    score = greatest(score::numeric, ${decision.score?.toFixed(1) ?? null}::numeric)::text,
    sigma_score = greatest(sigma_score::numeric, ${sigma?.toFixed(1) ?? null}::numeric)::text,
    is_above_sigma = is_above_sigma or ${isAbove}, day_ahead_pico_usd = ${String(excess / BigInt(RULES.creepDays))}::numeric,
    last_hour = greatest(finding.last_hour, ${lastHour})`;
  const id =
    known.rows[0]?.id ??
    (
      await sql<{ id: bigint }>`
        insert into anomaly_findings (customer_id, first_hour, last_hour, state, shape, cost_pico_usd, usual_pico_usd,
          excess_pico_usd, day_ahead_pico_usd, is_above_sigma, opened_at, changed_at)
        values (${customerId}, ${first}, ${lastHour}, 'open', 'creep', ${String(costPicoUsd)}::numeric,
          ${String(costPicoUsd - excess)}::numeric, ${String(excess)}::numeric, 0, false, ${now}, ${now})
        returning anomaly_finding_id as id`.execute(transaction)
    ).rows[0]?.id ??
    0n;
  const changed = await sql<{ is_raised: boolean }>`
    with before as (
      select raised_at, last_hour from anomaly_findings where anomaly_finding_id = ${String(id)}::bigint for update),
    -- What the days since the last look added, at what a request is too dear now; the same day again adds nothing.
    added as (
      select coalesce(sum(cost_pico_usd), 0) as cost from anomaly_days, before
      where customer_id = ${customerId} and day > (before.last_hour at time zone 'UTC')::date and day <= ${day}::date)
    update anomaly_findings as finding set ${figures}, cost_pico_usd = finding.cost_pico_usd + added.cost,
      usual_pico_usd = finding.usual_pico_usd + added.cost - div(added.cost * ${String(excess)}::numeric, ${String(costPicoUsd)}::numeric),
      excess_pico_usd = finding.excess_pico_usd + div(added.cost * ${String(excess)}::numeric, ${String(costPicoUsd)}::numeric)
    from before, added where anomaly_finding_id = ${String(id)}::bigint
    returning finding.raised_at is not null and before.raised_at is null as is_raised`.execute(transaction);
  const isRaised = changed.rows[0]?.is_raised ?? false;
  if (isRaised) {
    await writeAudit(transaction, {
      actor: JOB,
      action: 'anomalies.raise',
      target: `anomaly-${id}`,
      details: { customer_id: customerId, shape: 'creep', moved: decision.moved },
      now,
    });
  }
  return isRaised;
}

/** Withdraws, once, what rested on this day alone and is no longer said of it. @returns how many */
async function dropCreeps(
  transaction: LedgerTransaction,
  stillCreeping: readonly string[],
  { day, now }: { day: string; now: Date },
): Promise<number> {
  const first = startOfDay(dayBefore(day, RULES.creepDays - 1));
  const withdrawn = await sql<{ id: bigint; customer_id: string }>`
    update anomaly_findings set state = 'withdrawn', ended_at = ${now}, changed_at = ${now}, excess_pico_usd = 0,
      day_ahead_pico_usd = 0
    where shape = 'creep' and state <> 'withdrawn' and first_hour = ${first} and last_hour = ${lastHourOf(day)}
      and customer_id <> all(${[...stillCreeping]}::text[])
    returning anomaly_finding_id as id, customer_id`.execute(transaction);
  for (const { id, customer_id: customerId } of withdrawn.rows) {
    await writeAudit(transaction, {
      actor: JOB,
      action: 'anomalies.withdraw',
      target: `anomaly-${id}`,
      details: { customer_id: customerId, day },
      now,
    });
  }
  return withdrawn.rows.length;
}
