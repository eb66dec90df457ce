import { type Budget, getBudget } from '../../budgets/budgets.ts';
import { changeBudget, endBudget, graceBudget } from '../../budgets/desk.ts';
import { readAmount } from '../../budgets/schemas.ts';
import type { ConsoleView, PageAct } from '../frame/define-page.ts';
import { requiredText } from '../frame/fields.ts';
import { requireSeen, type Seen } from '../invoices/seen.ts';

/** What an act on a budget is about: its terms, and not what was used since. */
export const budgetSeen = ({ changedAt, limit, endedAt }: Budget): Seen => [
  changedAt.toISOString(),
  limit,
  endedAt?.toISOString(),
];

/** What a person of finance does with a budget: by the functions of the API's routes. */
export const BUDGET_ACTS: Readonly<Record<string, PageAct>> = {
  change: {
    scopes: ['finance'],
    run: async (form, view) => {
      const limit = await amountOf(form, view, 'limit');
      await changeBudget(view.dependencies.database, { ...actOf(form, view), limit });
      return { notice: 'Changed: within a minute its steps are judged by the new limit.' };
    },
  },
  grace: {
    scopes: ['finance'],
    run: async (form, view) => {
      const reason = requiredText(form, 'reason', 'Say why there is more this once.', 2_000);
      const extra = await amountOf(form, view, 'extra');
      await graceBudget(view.dependencies.database, { ...actOf(form, view), extra, until: null, reason });
      return { notice: 'Granted: there is more until the window ends.' };
    },
  },
  end: {
    scopes: ['finance'],
    run: async (form, view) => {
      await endBudget(view.dependencies.database, actOf(form, view));
      return { notice: 'Ended: nothing is judged by it any more, and what it had reached is withdrawn.' };
    },
  },
};

async function amountOf(form: URLSearchParams, { dependencies, params }: ConsoleView, field: string) {
  const { measure } = await getBudget(dependencies.database, params.budgetId ?? '');
  const text = requiredText(form, field, 'Give an amount such as 50.00.', 40).replaceAll(',', '');
  return readAmount(text, measure, field);
}

function actOf(form: URLSearchParams, { caller, dependencies, params }: ConsoleView) {
  const budgetId = params.budgetId ?? '';
  return {
    budgetId,
    actor: caller.actor,
    now: dependencies.clock.now(),
    requireSame: (before: Budget) => requireSeen(form, budgetSeen(before), `Budget ${budgetId}`),
  };
}
