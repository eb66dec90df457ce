import { sql } from 'kysely';
import { RULES } from '../../pricing/anomalies/rules.ts';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import { addMs, DAY_MS, HOUR_MS } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { readBaselines } from './baselines.ts';
import { decideRun, type RunDecision } from './decide-run.ts';
import { dropHours, keepHour } from './finding-hours.ts';
import { type Run, readRuns } from './runs.ts';
import { findStandouts, type Standout } from './standouts.ts';

/** Later than this an hour is summed, and nobody is told of it any more. */
const JUDGED_DAYS = 3;
/** Of one hour so many are looked into, those with most at stake first; more of them is no matter of single customers. */
const MOST_LOOKED_INTO = 100;
/** Hours that cost less come to nothing that matters, however long they go on. */
const LEAST_COST_PICO_USD = RULES.materialPicoUsd / 50n;

export interface EvaluatedHours {
  judgedHourCount: number;
  raisedCount: number;
  withdrawnCount: number;
}

/**
 * Judges every hour that was summed anew, the oldest first, each customer by what is known now; opens and prolongs findings, ends
 * those that went on no longer, and withdraws once what later data undid. Killed or repeated it ends in the same findings.
 */
export async function evaluateHours(
  database: LedgerDatabase,
  { book, now }: { book: PriceBook; now: Date },
  signal?: AbortSignal,
): Promise<EvaluatedHours> {
  const outcome = { judgedHourCount: 0, raisedCount: 0, withdrawnCount: 0 };
  const since = addMs(now, -JUDGED_DAYS * DAY_MS);
  await sql`
    update anomaly_summed_hours as summed set judged_at = ${now}
    where judged_at is null and window_start < ${since}
      and not exists (select from anomaly_finding_hours as hour where hour.window_start = summed.window_start)`.execute(
    database,
  );
  const due = await sql<{ window_start: Date }>`
    select window_start from anomaly_summed_hours where judged_at is null order by window_start`.execute(
    database,
  );
  for (const { window_start: hour } of due.rows) {
    signal?.throwIfAborted();
    const { raisedCount, withdrawnCount } = await evaluateHour(database, { hour, book, now });
    outcome.judgedHourCount += 1;
    outcome.raisedCount += raisedCount;
    outcome.withdrawnCount += withdrawnCount;
  }
  await sql`
    update anomaly_findings set state = 'ended', ended_at = ${now}, changed_at = ${now}
    where state = 'open' and shape is distinct from 'creep' and last_hour < ${addMs(now, -(RULES.quietHours + 1) * HOUR_MS)}`.execute(
    database,
  );
  return outcome;
}

async function evaluateHour(
  database: LedgerDatabase,
  { hour, book, now }: { hour: Date; book: PriceBook; now: Date },
): Promise<{ raisedCount: number; withdrawnCount: number }> {
  const customers = await readBaselines(database, hour, LEAST_COST_PICO_USD);
  const standouts = findStandouts(customers);
  const moved = standouts
    .filter(({ judged }) => judged.moved !== null)
    .toSorted((left, right) => (left.judged.excessPicoUsd < right.judged.excessPicoUsd ? 1 : -1));
  const togetherPercent = ((moved.length - 1) * 100) / Math.max(1, customers.length - 1);
  const lookedInto = new Set(moved.slice(0, MOST_LOOKED_INTO));
  const runs = await readRuns(
    database,
    standouts.map(({ customer }) => customer.customerId),
    hour,
  );
  const decided: {
    standout: Standout;
    decision: RunDecision | null;
    run: Run | null;
  }[] = [];
  for (const standout of standouts) {
    const run = runs.get(standout.customer.customerId) ?? null;
    const decision = lookedInto.has(standout)
      ? await decideRun(database, standout, { hour, run, book, togetherPercent })
      : null;
    // What does not matter in money, and is not above two sigmas, is no finding.
    if (run === null && decision?.isMaterial !== true && !standout.day.isAbove) continue;
    decided.push({ standout, decision, run });
  }
  return await database.transaction().execute(async (transaction) => {
    let raisedCount = 0;
    for (const { standout, decision, run } of decided) {
      if (await keepHour(transaction, { hour, standout, decision, run, now })) raisedCount += 1;
    }
    const withdrawnCount = await dropHours(transaction, {
      hour,
      stillAbove: decided.map(({ standout }) => standout.customer.customerId),
      now,
    });
    await sql`update anomaly_summed_hours set judged_at = ${now} where window_start = ${hour}`.execute(
      transaction,
    );
    return { raisedCount, withdrawnCount };
  });
}
