import type { JobDependencies } from '../../jobs/dependencies.ts';
import { runStep } from '../../jobs/queue/steps.ts';
import { parseAmount } from '../../pricing/budgets/amounts.ts';
import type { BudgetStep } from '../../pricing/budgets/budget.ts';
import {
  EXPERIMENTATION,
  EXPERIMENTATION_LIMIT,
  experimentationSteps,
} from '../../pricing/budgets/templates.ts';
import { listBudgets } from '../../src/budgets/budgets.ts';
import { createBudget, type NewBudget } from '../../src/budgets/desk.ts';
import { makeTemplateCustomer } from '../../src/budgets/template.ts';

const CONTACT = 'ai-platform@example.com';
const TELL: readonly BudgetStep[] = [
  { sharePermille: 800, on: 'actual', action: 'tell' },
  { sharePermille: 1_000, on: 'forecast', action: 'tell' },
];
const MONTHLY = {
  customerId: null,
  feature: null,
  subject: null,
  perUser: false,
  period: 'month',
  rollingDayCount: null,
  measure: 'cost',
  currency: 'usd',
} as const;

/** Only experiments pass a gateway, and are stopped: other traffic would go on. */
const BUDGETS: readonly NewBudget[] = [
  {
    ...MONTHLY,
    name: EXPERIMENTATION.name,
    scope: 'customer',
    customerId: EXPERIMENTATION.customerId,
    limit: parseAmount(EXPERIMENTATION_LIMIT, 'cost'),
    steps: experimentationSteps(CONTACT),
  },
  {
    ...MONTHLY,
    name: 'Northwind, each month',
    scope: 'customer',
    customerId: 'northwind',
    limit: parseAmount('250', 'cost'),
    steps: TELL,
  },
  {
    ...MONTHLY,
    name: 'Thread summaries of an active user',
    scope: 'feature',
    feature: 'thread-summary',
    perUser: true,
    limit: parseAmount('30', 'cost'),
    steps: [
      { sharePermille: 1_000, on: 'actual', action: 'tell' },
      { sharePermille: 1_500, on: 'actual', action: 'slow', tokensPerMinute: 200_000, contact: CONTACT },
    ],
  },
];

/** Makes the demo's budgets before its traffic begins; on a second start only what the first had not got to. */
export async function createDemoBudgets(deps: JobDependencies, signal: AbortSignal): Promise<void> {
  const { database, clock } = deps;
  const by = { actor: 'demo', now: clock.now() };
  const made = new Set((await listBudgets(database, { withEnded: true })).map(({ name }) => name));
  const missing = BUDGETS.filter(({ name }) => !made.has(name));
  if (missing.length === 0) return;
  // Of whom a budget is must be known.
  await runStep(deps, 'sync-catalog', signal);
  const { customerId } = EXPERIMENTATION;
  await makeTemplateCustomer(database, { ...by, customerId, tenantKey: customerId });
  for (const budget of missing) await createBudget(database, budget, by);
}
