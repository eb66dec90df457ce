import { type BudgetGrace, type BudgetPeriod, type BudgetTerms, isMoney } from '../budgets/budget.ts';
import { divideUp } from '../money.ts';

/** A budget as caps are made of it. */
export interface CappedBudget extends BudgetTerms {
  budgetId: string;
  name: string;
  grace: BudgetGrace | null;
}

/** What usage of a budget's scope cost in a month that is over. */
export interface CapPrice {
  costPicoUsd: bigint;
  tokenCount: bigint;
}

/** Why the gateway cannot count a budget by itself: it counts tokens, in fixed turns of the calendar, by what tokens of callers say. */
type CapLeftReason = 'calls' | 'revenue' | 'currency' | 'period' | 'no_tenant' | 'no_usage';

/** What a gateway counts by itself of one budget. */
export interface HardCap {
  budgetId: string;
  budgetName: string;
  /** Whose calls count, each in the words of the caller's token; null: whoever. */
  tenantKey: string | null;
  subject: string | null;
  feature: string | null;
  /** Each user has a counter of its own. */
  perUser: boolean;
  /** Who has a narrower budget of the same kind, and does not count here. */
  exceptTenantKeys: string[];
  exceptSubjects: string[];
  period: 'Daily' | 'Weekly' | 'Monthly';
  tokenCount: bigint;
  /** What a million tokens of it cost on average, where the budget is of money; null: it is of tokens. */
  millionTokensPicoUsd: bigint | null;
}

export interface LeftBudget {
  budgetId: string;
  budgetName: string;
  reason: CapLeftReason;
}

const PERIODS: Partial<Record<BudgetPeriod, HardCap['period']>> = {
  day: 'Daily',
  week: 'Weekly',
  month: 'Monthly',
};
/** Of tokens that come of money: more would change with every late row. */
const SIGNIFICANT_DIGITS = 3;

/**
 * What gateways count by themselves of the budgets that stop, at their first stop, and which budgets they cannot. Money becomes
 * tokens at what a token cost on average.
 * @param budgets all that are not ended, for narrower ones take the place of wider
 * @param headroomPercent so much more than the budget, for a counter of tokens is not its measure
 */
export function makeHardCaps(
  budgets: readonly CappedBudget[],
  {
    tenantOfCustomer,
    prices,
    headroomPercent,
    now,
  }: {
    tenantOfCustomer: ReadonlyMap<string, string>;
    prices: ReadonlyMap<string, CapPrice>;
    headroomPercent: bigint;
    now: Date;
  },
): { caps: HardCap[]; left: LeftBudget[] } {
  const caps: HardCap[] = [];
  const left: LeftBudget[] = [];
  for (const budget of budgets) {
    const shares = budget.steps.flatMap(({ action, sharePermille }) =>
      action === 'stop' ? [sharePermille] : [],
    );
    if (shares.length === 0) continue;
    const { budgetId, name: budgetName, customerId, subject, feature, perUser } = budget;
    const leave = (reason: CapLeftReason) => void left.push({ budgetId, budgetName, reason });
    const period = PERIODS[budget.period];
    if (budget.measure === 'calls' || budget.measure === 'revenue') leave(budget.measure);
    else if (isMoney(budget.measure) && budget.currency !== 'usd') leave('currency');
    else if (period === undefined) leave('period');
    else {
      // A user is found by its own name, whatever its tenant.
      const tenantKey =
        subject !== null || customerId === null ? null : (tenantOfCustomer.get(customerId) ?? undefined);
      const price = isMoney(budget.measure) ? (prices.get(budgetId) ?? null) : null;
      if (tenantKey === undefined) leave('no_tenant');
      else if (isMoney(budget.measure) && (price === null || price.costPicoUsd <= 0n)) leave('no_usage');
      else {
        const limit =
          budget.limit + (budget.grace !== null && budget.grace.until > now ? budget.grace.extra : 0n);
        const permille = BigInt(Math.min(...shares)) * (100n + headroomPercent);
        caps.push({
          budgetId,
          budgetName,
          tenantKey,
          subject,
          feature,
          perUser,
          ...exceptionsOf(budget, budgets, tenantOfCustomer),
          period,
          tokenCount:
            price === null
              ? divideUp(limit * permille, 100_000n)
              : roundUp(divideUp(limit * permille * price.tokenCount, 100_000n * price.costPicoUsd)),
          millionTokensPicoUsd:
            price === null ? null : divideUp(price.costPicoUsd * 1_000_000n, price.tokenCount),
        });
      }
    }
  }
  return { caps, left };
}

/** Who is under a narrower budget of the same measure and period instead, by the rule of `BudgetOverrides`. */
function exceptionsOf(
  budget: CappedBudget,
  budgets: readonly CappedBudget[],
  tenantOfCustomer: ReadonlyMap<string, string>,
): Pick<HardCap, 'exceptTenantKeys' | 'exceptSubjects'> {
  if (!budget.perUser || budget.scope === 'feature') return { exceptTenantKeys: [], exceptSubjects: [] };
  const alike = budgets.filter(
    (other) =>
      other.measure === budget.measure &&
      other.period === budget.period &&
      other.rollingDayCount === budget.rollingDayCount,
  );
  const users = alike.filter(
    ({ scope, customerId }) =>
      scope === 'user' && (budget.scope === 'all' || customerId === budget.customerId),
  );
  const customers =
    budget.scope === 'all' ? alike.filter(({ scope, perUser }) => scope === 'customer' && perUser) : [];
  return {
    exceptTenantKeys: sorted(customers.map(({ customerId }) => tenantOfCustomer.get(customerId ?? ''))),
    exceptSubjects: sorted(users.map(({ subject }) => subject)),
  };
}

function sorted(texts: readonly (string | null | undefined)[]): string[] {
  return [...new Set(texts.filter((text) => text !== null && text !== undefined))].sort();
}

function roundUp(count: bigint): bigint {
  const step = 10n ** BigInt(Math.max(0, String(count).length - SIGNIFICANT_DIGITS));
  return divideUp(count, step) * step;
}
