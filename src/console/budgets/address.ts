export const BUDGETS_PATH = '/console/budgets';
export const NEW_BUDGET_PATH = `${BUDGETS_PATH}/new`;
export const BUDGET_PATH = `${BUDGETS_PATH}/:budgetId`;

export function budgetPath({ budgetId }: { budgetId: string }): string {
  return `${BUDGETS_PATH}/${encodeURIComponent(budgetId)}`;
}
