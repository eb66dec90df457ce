import { earlyBillInWords } from '../../pricing/budgets/early-bill.ts';
import type { PastWindowsBody } from './past/routes.ts';
import type { BudgetBody, BudgetsBody, OneBudgetBody, StepEventBody } from './schemas.ts';
import { stepText } from './step-texts.ts';

type RenderTable = (header: string[], rows: string[][], numeric?: number[]) => string;

/** Whose a budget is, in words. */
function ofWhom({ scope, customerId, feature, userId, perUser }: BudgetBody): string {
  const whole = userId ?? feature ?? customerId ?? (scope === 'all' ? 'everything' : '');
  return perUser ? `each user of ${whole}` : whole;
}

const percent = (share: string) => `${(Number(share) * 100).toFixed(1)}%`;

/** Budgets as a table. */
export function renderBudgets({ budgets, nextCursor }: BudgetsBody, renderTable: RenderTable): string {
  if (budgets.length === 0) return 'There is no budget. "tallystick budgets create" makes one.';
  const rows = budgets.map((budget) => [
    budget.id,
    budget.name,
    ofWhom(budget),
    budget.period.replaceAll('_', ' '),
    `${budget.limit} ${budget.currency ?? budget.measure}`,
    budget.standing?.used ?? '',
    budget.standing === null ? '' : percent(budget.standing.share),
    budget.standing?.forecast ?? '',
    budget.perUser ? `${budget.overCount} of ${budget.holderCount}` : '',
    budget.endedAt === null ? budget.openSteps.map(({ step }) => stepText(step)).join(' ') : 'ended',
  ]);
  return [
    renderTable(
      ['id', 'name', 'of', 'period', 'limit', 'used', 'share', 'forecast', 'users over', 'reached'],
      rows,
      [4, 5, 6, 7],
    ),
    ...(nextCursor === null ? [] : [`More: --cursor ${nextCursor}`]),
  ].join('\n');
}

/** One budget in sentences, its holders and what happened as tables. */
export function renderBudget(budget: OneBudgetBody, renderTable: RenderTable): string {
  const unit = budget.currency ?? budget.measure;
  const { standing } = budget;
  const lines = [
    `${budget.name}: ${budget.limit} ${unit} of ${ofWhom(budget)}, each ${budget.period.replaceAll('_', ' ')}.`,
    `Ladder: ${budget.steps.map(stepText).join(', ') || 'none'}.`,
  ];
  if (standing === null) lines.push('Nothing is judged in this window yet.');
  else {
    lines.push(
      `Used ${standing.used} of ${standing.limit}, ${percent(standing.share)}, from ${standing.windowStart} to ${standing.windowEnd}.`,
      `At the end of the window: ${standing.forecast ?? `unknown (${(standing.forecastReason ?? '').replaceAll('_', ' ')})`}.`,
      `Counted until ${standing.dataUntil ?? 'never'}${standing.dataAgeSeconds === null ? '' : `, ${standing.dataAgeSeconds} s ago`}; at the rate of late the limit may be overshot by ${standing.overshootAllowed ?? 'nobody knows how much'} before a step acts.`,
    );
    if (standing.unpricedTokenCount !== '0') {
      lines.push(`${standing.unpricedTokenCount} tokens have no price and are in no amount.`);
    }
    if (standing.unknownReason !== null) {
      lines.push(`What is used now is unknown: ${standing.unknownReason.replaceAll('_', ' ')}.`);
    }
  }
  if (budget.holders.length > 0) {
    const holders = budget.holders.map((holder) => [
      holder.userId ?? '',
      holder.customerId ?? '',
      holder.used,
      percent(holder.share),
    ]);
    lines.push(renderTable(['user', 'customer', 'used', 'share'], holders, [2, 3]));
  }
  if (budget.events.length > 0) {
    const events = budget.events.map((event) => [
      event.reachedAt,
      stepText(event.step),
      event.userId ?? '',
      event.used,
      event.withdrawnReason?.replaceAll('_', ' ') ?? '',
    ]);
    lines.push(renderTable(['reached', 'step', 'user', 'used', 'withdrawn'], events, [3]));
    lines.push(...budget.events.flatMap(earlyBillLines));
  }
  return lines.join('\n');
}

/** The windows before as a table; nothing where there are none. */
export function renderPast({ windows }: PastWindowsBody, renderTable: RenderTable): string[] {
  if (windows.length === 0) return [];
  const rows = windows.map(({ windowStart, windowEnd, userId, used, limit, overCount, steps }) => [
    windowStart,
    windowEnd,
    userId ?? '',
    used,
    limit,
    overCount,
    steps
      .map(({ step, reachedCount }) => `${stepText(step)}${reachedCount > 1 ? ` x${reachedCount}` : ''}`)
      .join(' '),
  ]);
  return [renderTable(['from', 'to', 'used most', 'used', 'limit', 'over', 'reached'], rows, [3, 4, 5])];
}

function earlyBillLines({ earlyBills, step, reachedAt }: StepEventBody): string[] {
  return earlyBills.map(
    ({ subscriptionId, invoiceNumber, invoiceId, total, currency, problem, ...bill }) =>
      `${stepText(step)} of ${reachedAt.slice(0, 16)}${subscriptionId === null ? '' : `, ${subscriptionId}`}: ${earlyBillInWords(bill)}${
        invoiceId === null ? '' : `, ${invoiceNumber ?? invoiceId} of ${total} ${currency?.toUpperCase()}`
      }${problem === null ? '' : ` (${problem})`}.`,
  );
}
