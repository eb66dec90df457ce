import type { BudgetGrace, BudgetTerms } from './budget.ts';
import type { BudgetWindow } from './windows.ts';

/** Where a holder stands in a window; amounts as in `BudgetTerms`. */
export interface BudgetStanding {
  used: bigint;
  /** At the end of the window; null: nobody knows. */
  forecast: bigint | null;
  effectiveLimit: bigint;
}

/** What may be used in a window at an instant: the limit, and a grace while it holds. */
export function effectiveLimitAt(
  { limit, grace }: { limit: bigint; grace: BudgetGrace | null },
  window: BudgetWindow,
  now: Date,
): bigint {
  const holds = grace !== null && grace.windowStart.getTime() === window.start.getTime() && now < grace.until;
  return holds ? limit + grace.extra : limit;
}

/** What is used of the limit, in thousandths, rounded down: 1,000 is reached when all of it is. */
export function sharePermilleOf(amount: bigint, effectiveLimit: bigint): bigint {
  return amount <= 0n ? 0n : (amount * 1_000n) / effectiveLimit;
}

/** One whose use is held against a limit: a user, where a budget's users have it each for themselves. */
export interface BudgetHolder {
  customerId: string;
  subject: string;
}

type Placed = Pick<
  BudgetTerms,
  'scope' | 'customerId' | 'subject' | 'perUser' | 'period' | 'rollingDayCount' | 'measure'
>;

/**
 * Who inherits a limit from a wider budget, and who has a narrower one of the same measure and period: of one user before that of a
 * customer's users, and that before everybody's. A limit for users of a feature is about the feature alone, and gives way to none.
 */
export class BudgetOverrides {
  readonly #users = new Set<string>();
  readonly #customers = new Set<string>();

  /** @param budgets those that are not ended */
  constructor(budgets: readonly Placed[]) {
    for (const budget of budgets) {
      if (budget.scope === 'user') this.#users.add(keyOf(budget, budget.customerId, budget.subject));
      if (budget.scope === 'customer' && budget.perUser)
        this.#customers.add(keyOf(budget, budget.customerId, null));
    }
  }

  /** Whether a user of a budget is under a narrower one instead. */
  isOverridden(budget: Placed, { customerId, subject }: BudgetHolder): boolean {
    if (!budget.perUser || budget.scope === 'feature') return false;
    if (this.#users.has(keyOf(budget, customerId, subject))) return true;
    return budget.scope === 'all' && this.#customers.has(keyOf(budget, customerId, null));
  }
}

function keyOf(
  { measure, period, rollingDayCount }: Placed,
  customerId: string | null,
  subject: string | null,
): string {
  return JSON.stringify([measure, period, rollingDayCount, customerId, subject]);
}
