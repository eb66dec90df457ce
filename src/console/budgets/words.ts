import { html } from 'hono/html';
import { amountInWords } from '../../../pricing/budgets/amounts.ts';
import type { BudgetStep } from '../../../pricing/budgets/budget.ts';
import type { Budget } from '../../budgets/budgets.ts';
import type { KeptStanding, StandingBudget } from '../../budgets/standings.ts';
import type { Html } from '../../pages/html.ts';
import { kindAndName, nameCell } from '../../pages/texts.ts';
import { groupDigits } from '../../pages/words.ts';

/** Whose it is. */
export function ofWhom({ scope, customerName, customerId, feature, subject, perUser }: Budget): Html {
  const whole =
    scope === 'all'
      ? html`everything`
      : scope === 'feature'
        ? kindAndName('feature', feature ?? '', 40)
        : scope === 'user'
          ? html`${kindAndName('user', subject ?? '', 40)} of ${nameCell(customerName ?? customerId ?? '', 40)}`
          : nameCell(customerName ?? customerId ?? '', 40);
  return perUser ? html`each user of ${whole}` : html`<span>${whole}</span>`;
}

/** How often its window turns. */
export function periodInWords({ period, rollingDayCount }: Budget): string {
  if (period === 'rolling_days') return `${rollingDayCount} days, rolling`;
  return period === 'billing_period' ? 'billing period' : period;
}

/** Whether all of it is used; of a budget of users, by the one who used most. */
export function isUsedUp({ standing }: StandingBudget): boolean {
  return standing !== null && standing.used >= standing.effectiveLimit;
}

export function percentOf(amount: bigint, limit: bigint): string {
  const permille = amount <= 0n ? 0n : (amount * 1_000n) / limit;
  return `${groupDigits(String(permille / 10n))}.${permille % 10n} %`;
}

const ACTS: Record<BudgetStep['action'], string> = {
  tell: 'somebody is told',
  slow: 'calls are slowed down',
  swap: 'calls go to another deployment',
  stop: 'calls are refused',
  bill: 'what is unpaid is invoiced',
};

/** A step in words: "at 80 %, somebody is told". */
export function stepInWords({ sharePermille, on, action, tokensPerMinute, deployment }: BudgetStep): string {
  const share = `${sharePermille / 10} %`;
  const detail =
    tokensPerMinute === undefined
      ? deployment === undefined
        ? ''
        : `: ${deployment}`
      : ` to ${groupDigits(String(tokensPerMinute))} tokens a minute`;
  return `${on === 'forecast' ? `when the forecast says ${share}` : `at ${share}`}, ${ACTS[action]}${detail}`;
}

const WITHDRAWN: Record<string, string> = {
  less_used: 'less is used than was known',
  changed: 'the budget was changed',
  grace: 'there was more for a time',
  overridden: 'a narrower budget took its place',
  ended: 'the budget was ended',
};

export const withdrawnInWords = (reason: string) => WITHDRAWN[reason] ?? reason;

const FORECAST: Record<string, string> = {
  too_little_history: 'too little history',
  period_is_over: 'the window is over',
  not_asked: 'not asked for',
};

/** What will have been used at the end of the window, or why nobody knows. */
export function forecastInWords({ forecast, forecastReason }: KeptStanding, budget: Budget): Html | string {
  if (forecast !== null) return amountInWords(forecast, budget);
  return html`<span class="muted">${FORECAST[forecastReason ?? ''] ?? 'unknown'}</span>`;
}
