import { sql } from 'kysely';
import { BudgetOverrides } from '../../pricing/budgets/standing.ts';
import { type BudgetWindow, windowBefore } from '../../pricing/budgets/windows.ts';
import { wantEarlyBills } from '../billing/early/early-bills.ts';
import { addMs, DAY_MS, HOUR_MS } from '../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { IS_COLLECTION } from '../usage/collection/watermarks.ts';
import { type Budget, listBudgets } from './budgets.ts';
import { isDue } from './due.ts';
import { type HolderWindow, rateSinceOf, readDueHolders, readHolderFacts, readUsersOf } from './holders.ts';
import { type JudgedHolder, judgeHolders } from './judge-holders.ts';
import { keepJudged } from './keep-judged.ts';
import { readWindows } from './periods.ts';

/** So many budgets are judged in one transaction, and so many of their holders at once. */
const BUDGET_BATCH = 100;
const HOLDER_BATCH = 1_000;

export interface JudgedBudgets {
  judgedHolderCount: number;
  reachedCount: number;
  withdrawnCount: number;
}

/** Up to where the source is collected; null: nothing ever was. */
export async function readKnownUntil(
  database: LedgerDatabase | LedgerTransaction,
  now: Date,
): Promise<Date | null> {
  const result = await sql<{ position: Date | null }>`
    select least(min(position), ${now}) as position from watermarks where ${IS_COLLECTION} having count(*) > 0`.execute(
    database,
  );
  return result.rows[0]?.position ?? null;
}

/**
 * Judges the holders whose sums changed, and budgets whose window turned, whose grace ended or whose terms are others. Each batch of
 * budgets is a transaction that holds them, so that nobody changes one meanwhile; killed or repeated it ends in the same.
 */
export async function judgeDueBudgets(
  database: LedgerDatabase,
  now: Date,
  signal?: AbortSignal,
): Promise<JudgedBudgets> {
  const outcome: JudgedBudgets = { judgedHolderCount: 0, reachedCount: 0, withdrawnCount: 0 };
  await sql`delete from budget_holders_due as due using budgets
            where budgets.budget_id = due.budget_id and ended_at is not null`.execute(database);
  const due = await sql<{ budget_id: string }>`
    select budget_id from budgets where ended_at is null and (${isDue(now)}
      or exists (select from budget_holders_due as holder where holder.budget_id = budgets.budget_id))
    order by budget_id`.execute(database);
  const ids = due.rows.map((row) => row.budget_id);
  for (let first = 0; first < ids.length; first += BUDGET_BATCH) {
    signal?.throwIfAborted();
    const judged = await database
      .transaction()
      .execute((transaction) => judgeBatch(transaction, ids.slice(first, first + BUDGET_BATCH), now));
    outcome.judgedHolderCount += judged.judgedHolderCount;
    outcome.reachedCount += judged.reachedCount;
    outcome.withdrawnCount += judged.withdrawnCount;
  }
  return outcome;
}

async function judgeBatch(
  transaction: LedgerTransaction,
  budgetIds: readonly string[],
  now: Date,
): Promise<JudgedBudgets> {
  const locked = await sql<{ budget_id: string; is_due: boolean }>`
    select budget_id, ${isDue(now)} as is_due from budgets where budget_id = any(${[...budgetIds]}::text[]) and ended_at is null
    order by budget_id for update`.execute(transaction);
  const whole = new Set(locked.rows.filter((row) => row.is_due).map((row) => row.budget_id));
  const all = await listBudgets(transaction);
  const wanted = new Set(locked.rows.map((row) => row.budget_id));
  const budgets = new Map(
    all.filter(({ budgetId }) => wanted.has(budgetId)).map((budget) => [budget.budgetId, budget]),
  );
  const windows = await readWindows(transaction, [...budgets.values()], now);
  const holders = await placeHolders(transaction, { budgets, windows, whole });
  const knownUntil = await readKnownUntil(transaction, now);
  const overrides = new BudgetOverrides(all);
  const outcome = { judgedHolderCount: holders.length, reachedCount: 0, withdrawnCount: 0 };
  for (let first = 0; first < holders.length; first += HOLDER_BATCH) {
    const batch = holders.slice(first, first + HOLDER_BATCH);
    const facts = await readHolderFacts(transaction, batch, rateSinceOf(knownUntil ?? now));
    const judged: JudgedHolder[] = await judgeHolders(transaction, batch, facts, {
      budgets,
      overrides,
      whole,
      knownUntil,
      now,
    });
    await keepJudged(transaction, judged, { knownUntil, now });
    const billing = judged.filter(({ steps }) => steps.reached.some(({ action }) => action === 'bill'));
    if (billing.length > 0)
      await wantEarlyBills(
        transaction,
        billing.map(({ budgetId }) => budgetId),
        now,
      );
    for (const { steps } of judged) {
      outcome.reachedCount += steps.reached.length;
      outcome.withdrawnCount += steps.withdrawn.length;
    }
  }
  await finish(transaction, [...budgets.values()], windows, now);
  return outcome;
}

/** Whom to judge: of a budget that is due all, else those whose sums changed, in the window that runs and in the one before. */
async function placeHolders(
  transaction: LedgerTransaction,
  {
    budgets,
    windows,
    whole,
  }: {
    budgets: ReadonlyMap<string, Budget>;
    windows: ReadonlyMap<string, BudgetWindow>;
    whole: ReadonlySet<string>;
  },
): Promise<HolderWindow[]> {
  const due = Map.groupBy(await readDueHolders(transaction, [...budgets.keys()]), ({ budgetId }) => budgetId);
  const placed: HolderWindow[] = [];
  for (const budget of budgets.values()) {
    const { budgetId } = budget;
    const window = windows.get(budgetId);
    if (window === undefined) continue;
    const changed = due.get(budgetId) ?? [];
    const everyone = budget.perUser
      ? whole.has(budgetId)
        ? await readUsersOf(transaction, budgetId, window)
        : changed
      : [{ customerId: '', subject: '' }];
    placed.push(...everyone.map(({ customerId, subject }) => ({ budgetId, customerId, subject, window })));
    if (budget.period === 'rolling_days') continue;
    const before = windowBefore(budget, window);
    placed.push(
      ...changed.map(({ customerId, subject }) => ({ budgetId, customerId, subject, window: before })),
    );
  }
  return placed;
}

async function finish(
  transaction: LedgerTransaction,
  budgets: readonly Budget[],
  windows: ReadonlyMap<string, BudgetWindow>,
  now: Date,
): Promise<void> {
  const ids = budgets.map(({ budgetId }) => budgetId);
  await sql`delete from budget_holders_due where budget_id = any(${ids}::text[])`.execute(transaction);
  const next = budgets.map((budget) =>
    nextJudgement(budget, windows.get(budget.budgetId), now).toISOString(),
  );
  await sql`
    update budgets set judge_at = next.judge_at from unnest(${ids}::text[], ${next}::timestamptz[]) as next(budget_id, judge_at)
    where budgets.budget_id = next.budget_id and budgets.judge_at is distinct from next.judge_at`.execute(
    transaction,
  );
}

/** When it is judged again although nothing is new: each midnight, for a forecast ages, and when its window or its grace ends. */
function nextJudgement({ grace }: Budget, window: BudgetWindow | undefined, now: Date): Date {
  if (window === undefined) return addMs(now, HOUR_MS);
  const midnight = new Date((Math.floor(now.getTime() / DAY_MS) + 1) * DAY_MS);
  const ends = [midnight, window.end, ...(grace !== null && grace.until > now ? [grace.until] : [])];
  return new Date(Math.min(...ends.map((end) => end.getTime())));
}
