import type { BudgetTerms } from '../../pricing/budgets/budget.ts';

/** A customer's budget of a thousand tokens a month, which stops, with what a test changes. */
export function budgetTerms(changes: Partial<BudgetTerms> = {}): BudgetTerms {
  return {
    scope: 'customer',
    customerId: 'northwind',
    feature: null,
    subject: null,
    perUser: false,
    period: 'month',
    rollingDayCount: null,
    measure: 'tokens',
    currency: null,
    limit: 1_000n,
    steps: [{ sharePermille: 1_000, on: 'actual', action: 'stop' }],
    ...changes,
  };
}
