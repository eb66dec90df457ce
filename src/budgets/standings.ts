import { type RawBuilder, sql } from 'kysely';
import { overshootOf } from '../../pricing/budgets/overshoot.ts';
import type { BudgetHolder } from '../../pricing/budgets/standing.ts';
import type { ConversionMiss } from '../../pricing/exchange/rates.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import type { Budget } from './budgets.ts';
import { readBudgetsDue } from './due.ts';
import { readKnownUntil } from './judge.ts';
import { readOpenStepEvents, type StepEvent } from './step-events.ts';

/** Where a holder stands in a window, as it was judged; amounts as in `BudgetTerms`. */
export interface KeptStanding extends BudgetHolder {
  budgetId: string;
  windowStart: Date;
  windowEnd: Date;
  used: bigint;
  effectiveLimit: bigint;
  unpricedTokenCount: bigint;
  unknownReason: ConversionMiss | null;
  forecast: bigint | null;
  forecastReason: string | null;
  hourlyRate: bigint;
  /** Up to where the source is counted; null: never collected. */
  knownUntil: Date | null;
  judgedAt: Date;
}

/** A budget, and where it stands now. */
export interface StandingBudget {
  budget: Budget;
  /** Of the holder that used most; null: nothing was judged in this window yet. */
  standing: KeptStanding | null;
  holderCount: bigint;
  /** Who used all of it or more. */
  overCount: bigint;
  open: StepEvent[];
}

interface Row
  extends Omit<KeptStanding, 'used' | 'effectiveLimit' | 'unpricedTokenCount' | 'forecast' | 'hourlyRate'> {
  used: string;
  effectiveLimit: string;
  unpricedTokenCount: bigint;
  forecast: string | null;
  hourlyRate: string;
}

const COLUMNS = sql`budget_id as "budgetId", customer_id as "customerId", subject, window_start as "windowStart",
  window_end as "windowEnd", used::text, effective_limit::text as "effectiveLimit", unpriced_token_count as "unpricedTokenCount",
  unknown_reason as "unknownReason", forecast::text, forecast_reason as "forecastReason", hourly_rate::text as "hourlyRate",
  known_until as "knownUntil", judged_at as "judgedAt"`;

const isRunning = (now: Date): RawBuilder<unknown> => sql`window_start <= ${now} and window_end > ${now}`;

/** Where budgets stand, in their order. */
export async function readStandings(
  database: LedgerDatabase | LedgerTransaction,
  budgets: readonly Budget[],
  now: Date,
): Promise<StandingBudget[]> {
  const ids = budgets.map(({ budgetId }) => budgetId);
  const chief = await sql<Row & { holders: bigint; over: bigint }>`
    select distinct on (budget_id) ${COLUMNS}, count(*) over whole as holders,
      count(*) filter (where used >= effective_limit) over whole as over
    from budget_windows as kept where budget_id = any(${ids}::text[]) and ${isRunning(now)}
    window whole as (partition by budget_id)
    order by budget_id, kept.used / effective_limit desc, customer_id, subject`.execute(database);
  const byBudget = new Map(chief.rows.map((row) => [row.budgetId, row]));
  const open = Map.groupBy(
    await readOpenStepEvents(database, { now, budgetIds: ids }),
    ({ budgetId }) => budgetId,
  );
  return budgets.map((budget) => {
    const row = byBudget.get(budget.budgetId);
    return {
      budget,
      standing: row === undefined ? null : toStanding(row),
      holderCount: row?.holders ?? 0n,
      overCount: row?.over ?? 0n,
      open: open.get(budget.budgetId) ?? [],
    };
  });
}

/** Holders of a budget in the window that runs, those that used most first. */
export async function listHolders(
  database: LedgerDatabase | LedgerTransaction,
  budgetId: string,
  { now, limit, offset = 0 }: { now: Date; limit: number; offset?: number },
): Promise<KeptStanding[]> {
  const result = await sql<Row>`
    select ${COLUMNS} from budget_windows as kept where budget_id = ${budgetId} and ${isRunning(now)}
    order by kept.used desc, customer_id, subject limit ${limit} offset ${offset}`.execute(database);
  return result.rows.map(toStanding);
}

function toStanding({ used, effectiveLimit, forecast, hourlyRate, ...row }: Row): KeptStanding {
  return {
    ...row,
    used: BigInt(used),
    effectiveLimit: BigInt(effectiveLimit),
    forecast: forecast === null ? null : BigInt(forecast),
    hourlyRate: BigInt(hourlyRate),
  };
}

/** How fresh standings are. */
export interface Freshness {
  /** Up to where the source is collected; null: never. */
  collectedUntil: Date | null;
  /** Whether something is collected, or changed, that is not judged yet: standings are as old as they say. */
  isWaiting: boolean;
}

export async function readFreshness(database: LedgerDatabase, now: Date): Promise<Freshness> {
  const due = await readBudgetsDue(database, now);
  return {
    collectedUntil: await readKnownUntil(database, now),
    isWaiting: Object.values(due).includes(true),
  };
}

/** Up to where a standing counts: to its own time while newer usage waits, else to where the source is collected. */
export function countedUntil(standing: KeptStanding, { collectedUntil, isWaiting }: Freshness): Date | null {
  return isWaiting ? standing.knownUntil : collectedUntil;
}

/** How far the limit may be overshot before a step acts, at the rate of late; null: nobody knows how old the data is. */
export function overshootNow(standing: KeptStanding, freshness: Freshness, now: Date): bigint | null {
  const until = countedUntil(standing, freshness);
  return until === null ? null : overshootOf(standing.hourlyRate, now.getTime() - until.getTime());
}
