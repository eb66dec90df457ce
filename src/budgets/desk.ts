import { sql } from 'kysely';
import {
  type BudgetGrace,
  type BudgetStep,
  type BudgetTerms,
  isMoney,
} from '../../pricing/budgets/budget.ts';
import { checkBudget } from '../../pricing/budgets/check.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { nothingApplied, TallystickError, ValidationError } from '../platform/errors.ts';
import { randomText } from '../platform/random-text.ts';
import { type Budget, getBudget, writeGrace } from './budgets.ts';
import { readWindows } from './periods.ts';
import { requireKnown } from './require-known.ts';
import { withdrawAll } from './step-events.ts';

/** Who acts, and when. */
export interface Actor {
  actor: string;
  now: Date;
}

export interface NewBudget extends BudgetTerms {
  name: string;
}

/**
 * Keeps a new budget, with an audit row. It is summed and judged by the next run of `judge-budgets`, from the beginning of its window.
 * @throws ValidationError, or a VALIDATION of several fields; TallystickError UNKNOWN_CUSTOMER
 */
export async function createBudget(
  database: LedgerDatabase,
  { name, ...terms }: NewBudget,
  { actor, now }: Actor,
): Promise<Budget> {
  const budgetId = `bud_${randomText(12)}`;
  requireName(name);
  requireSound(terms);
  return await database.transaction().execute(async (transaction) => {
    await requireKnown(transaction, terms, now);
    const { limitAmount, limitCount } = columnsOf(terms);
    await sql`
      insert into budgets (budget_id, name, scope, customer_id, feature, subject, per_user, period, rolling_day_count, measure,
        currency, limit_amount_pico, limit_count, steps, created_at, created_by, changed_at, judge_at)
      values (${budgetId}, ${name.trim()}, ${terms.scope}, ${terms.customerId}, ${terms.feature}, ${terms.subject},
        ${terms.perUser}, ${terms.period}, ${terms.rollingDayCount}, ${terms.measure}, ${terms.currency}, ${limitAmount},
        ${limitCount}, ${JSON.stringify(terms.steps)}::jsonb, ${now}, ${actor}, ${now}, ${now})`.execute(
      transaction,
    );
    const budget = await getBudget(transaction, budgetId);
    await noteWider(transaction, budget, now);
    await audit(transaction, budget, { action: 'budgets.create', details: factsOf(budget), actor, now });
    return budget;
  });
}

export interface BudgetChange extends Actor {
  budgetId: string;
  name?: string | undefined;
  limit?: bigint | undefined;
  steps?: readonly BudgetStep[] | undefined;
  /** Throws where the budget, locked by then, is another than the act was about. */
  requireSame?: ((before: Budget) => void) | undefined;
}

/**
 * Another name, limit or ladder; of whom, of what and over which time it is stays: that is another budget. The next run judges its
 * steps anew: what is reached no longer is withdrawn, once, and what still is stays as it was told.
 * @throws TallystickError NOT_FOUND, CONFLICT where it is ended
 */
export async function changeBudget(database: LedgerDatabase, change: BudgetChange): Promise<Budget> {
  return await act(database, change, async (transaction, before) => {
    const name = change.name ?? before.name;
    const terms = { ...before, limit: change.limit ?? before.limit, steps: change.steps ?? before.steps };
    requireName(name);
    requireSound(terms);
    const { limitAmount, limitCount } = columnsOf(terms);
    const changed = await sql`
      update budgets set name = ${name.trim()}, limit_amount_pico = ${limitAmount}, limit_count = ${limitCount},
        steps = ${JSON.stringify(terms.steps)}::jsonb, changed_at = ${change.now}, judge_at = least(judge_at, ${change.now})
      where budget_id = ${before.budgetId} and (name, limit_amount_pico, limit_count, steps) is distinct from
        (${name.trim()}, ${limitAmount}::numeric, ${limitCount}::bigint, ${JSON.stringify(terms.steps)}::jsonb)`.execute(
      transaction,
    );
    if (changed.numAffectedRows === 0n) return null;
    return { action: 'budgets.change', details: { before: factsOf(before) } };
  });
}

/**
 * More, until an instant in the window that runs: once for each window, so that a limit stays one.
 * @throws ValidationError; TallystickError NOT_FOUND, CONFLICT where this window had one, or the budget is ended
 */
export async function graceBudget(
  database: LedgerDatabase,
  grant: Actor & {
    budgetId: string;
    extra: bigint;
    /** Null: to the end of the window. */
    until: Date | null;
    reason: string;
    requireSame?: BudgetChange['requireSame'];
  },
): Promise<Budget> {
  const reason = grant.reason.trim();
  if (reason === '') throw new ValidationError('reason', 'is missing', 'Say why there is more this once.');
  if (grant.extra <= 0n)
    throw new ValidationError('extra', 'is not above zero', 'Say how much more there is.');
  return await act(database, grant, async (transaction, before) => {
    const window = (await readWindows(transaction, [before], grant.now)).get(before.budgetId);
    if (window === undefined) throw noPeriod(before);
    if (before.grace?.windowStart.getTime() === window.start.getTime()) {
      throw new TallystickError(`Budget ${before.budgetId} had its grace in this window already.`, {
        code: 'CONFLICT',
        retry: false,
        fix: 'Change its limit, if it is too low.',
      });
    }
    const until = grant.until ?? window.end;
    if (until <= grant.now || until > window.end) {
      const end = window.end.toISOString();
      throw new ValidationError('until', `does not lie between now and ${end}, where the window ends`);
    }
    const { extra, actor } = grant;
    const grace: BudgetGrace = { extra, until, windowStart: window.start, reason, grantedBy: actor };
    await sql`
      update budgets set grace = ${writeGrace(grace)}::jsonb, changed_at = ${grant.now}, judge_at = least(judge_at, ${grant.now})
      where budget_id = ${before.budgetId}`.execute(transaction);
    return { action: 'budgets.grace', details: { ...grace, extra: String(extra) } };
  });
}

/** Nothing is judged by it any more, and what was reached is withdrawn at once. Ended again it changes nothing. */
export async function endBudget(
  database: LedgerDatabase,
  end: Actor & { budgetId: string; requireSame?: BudgetChange['requireSame'] },
): Promise<Budget> {
  return await act(
    database,
    end,
    async (transaction, before) => {
      if (before.endedAt !== null) return null;
      await sql`
        update budgets set ended_at = ${end.now}, ended_by = ${end.actor}, changed_at = ${end.now}
        where budget_id = ${before.budgetId}`.execute(transaction);
      await noteWider(transaction, before, end.now);
      await withdrawAll(transaction, { budgetId: before.budgetId, reason: 'ended', now: end.now });
      await sql`delete from budget_hours where budget_id = ${before.budgetId}`.execute(transaction);
      return { action: 'budgets.end', details: { before: factsOf(before) } };
    },
    { evenEnded: true },
  );
}

async function act(
  database: LedgerDatabase,
  { budgetId, actor, now, requireSame }: Actor & Pick<BudgetChange, 'budgetId' | 'requireSame'>,
  apply: (
    transaction: LedgerTransaction,
    before: Budget,
  ) => Promise<{ action: string; details: Record<string, unknown> } | null>,
  { evenEnded = false } = {},
): Promise<Budget> {
  return await database.transaction().execute(async (transaction) => {
    await sql`select from budgets where budget_id = ${budgetId} for update`.execute(transaction);
    const before = await getBudget(transaction, budgetId);
    if (before.endedAt !== null && !evenEnded) {
      throw new TallystickError(`Budget ${budgetId} is ended.`, {
        code: 'CONFLICT',
        retry: false,
        fix: 'Create another.',
      });
    }
    requireSame?.(before);
    const done = await apply(transaction, before);
    if (done === null) return before;
    const after = await getBudget(transaction, budgetId);
    await audit(transaction, after, {
      ...done,
      details: { ...done.details, after: factsOf(after) },
      actor,
      now,
    });
    return after;
  });
}

/** Who inherits from a wider budget changes with a narrower one. */
async function noteWider(
  transaction: LedgerTransaction,
  { scope, perUser, measure }: Budget,
  now: Date,
): Promise<void> {
  if (scope !== 'user' && !(scope === 'customer' && perUser)) return;
  await sql`update budgets set judge_at = least(judge_at, ${now}) where ended_at is null and per_user and measure = ${measure}`.execute(
    transaction,
  );
}

async function audit(
  transaction: LedgerTransaction,
  { budgetId, customerId }: Budget,
  entry: Actor & { action: string; details: Record<string, unknown> },
): Promise<void> {
  const { details } = entry;
  await writeAudit(transaction, {
    ...entry,
    target: budgetId,
    details: customerId === null ? details : { customer_id: customerId, ...details },
  });
}

function factsOf(budget: Budget): Record<string, unknown> {
  const { name, scope, feature, subject, perUser, period, rollingDayCount, measure, currency, steps } =
    budget;
  const limit = String(budget.limit);
  return { name, scope, feature, subject, perUser, period, rollingDayCount, measure, currency, limit, steps };
}

function columnsOf({ measure, limit }: BudgetTerms) {
  const text = String(limit);
  return isMoney(measure) ? { limitAmount: text, limitCount: null } : { limitAmount: null, limitCount: text };
}

function requireName(name: string): void {
  const { length } = name.trim();
  if (length === 0 || length > 200) {
    throw new ValidationError('name', 'must have 1 to 200 characters', 'Say what it is for.');
  }
}

function requireSound(terms: BudgetTerms): void {
  const [fault, ...more] = checkBudget(terms);
  if (fault === undefined) return;
  if (more.length === 0) throw new ValidationError(fault.field, fault.message, fault.fix);
  throw nothingApplied([fault, ...more]);
}

function noPeriod({ customerId }: Budget): TallystickError {
  return new TallystickError(`Customer ${customerId} has no billing period now.`, {
    code: 'CONFLICT',
    retry: false,
    fix: 'Take a budget by the month.',
  });
}
