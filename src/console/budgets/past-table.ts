import { html } from 'hono/html';
import { amountInWords, formatAmount } from '../../../pricing/budgets/amounts.ts';
import { stepKey } from '../../../pricing/budgets/budget.ts';
import type { Budget } from '../../budgets/budgets.ts';
import { MOST_COUNTED, type PastWindow } from '../../budgets/past/windows.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { instantColumn } from '../../pages/table/made-columns.ts';
import { nameCell } from '../../pages/texts.ts';
import { groupDigits } from '../../pages/words.ts';
import { percentOf, stepInWords } from './words.ts';

/** How a budget's windows that are over ended. */
export function pastTable(budget: Budget): TableDefinition<PastWindow> {
  const { measure, perUser } = budget;
  return {
    name: 'windows',
    caption: 'Windows before',
    empty: 'No window of it is over yet.',
    pageSize: 24,
    columns: [
      {
        ...instantColumn<PastWindow>('windowStart', 'From', ({ windowStart }) => windowStart),
        isRowHeader: true,
      },
      instantColumn<PastWindow>('windowEnd', 'To', ({ windowEnd }) => windowEnd),
      ...(perUser ? [MOST_USED, OVER] : []),
      {
        name: 'windowUsed',
        title: 'Used',
        kind: 'number',
        cell: ({ used, unpricedTokenCount, unknownReason }) =>
          html`${amountInWords(used, budget)}${unpricedTokenCount > 0n || unknownReason !== null ? html` <small class="unknown">and what is unknown</small>` : ''}`,
        csv: ({ used }) => formatAmount(used, measure),
        sortBy: ({ used }) => used,
      },
      {
        name: 'windowLimit',
        title: 'Limit',
        kind: 'number',
        cell: ({ effectiveLimit }) => amountInWords(effectiveLimit, budget),
        csv: ({ effectiveLimit }) => formatAmount(effectiveLimit, measure),
      },
      {
        name: 'windowShare',
        title: 'Share',
        kind: 'number',
        cell: ({ used, effectiveLimit }) => percentOf(used, effectiveLimit),
        csv: ({ used, effectiveLimit }) => (Number((used * 1_000n) / effectiveLimit) / 1_000).toFixed(3),
      },
      {
        name: 'windowSteps',
        title: 'Reached',
        kind: 'text',
        cell: ({ steps }) =>
          steps.length === 0
            ? html`<span class="muted">none</span>`
            : html`${steps.map(({ step, reachedCount, withdrawnCount }) => html`<div>${stepInWords(step)}${reachedCount > 1 ? ` (${groupDigits(String(reachedCount))} users)` : ''}${withdrawnCount === reachedCount ? html` <small class="muted">withdrawn</small>` : ''}</div>`)}`,
        csv: ({ steps }) =>
          steps.map(({ step, reachedCount }) => `${stepKey(step)} ${reachedCount}`).join(', '),
      },
    ],
  };
}

const MOST_USED: TableDefinition<PastWindow>['columns'][number] = {
  name: 'usedMost',
  title: 'Who used most',
  kind: 'text',
  cell: ({ subject }) => nameCell(subject, 40),
  csv: ({ subject }) => subject,
};
const OVER: TableDefinition<PastWindow>['columns'][number] = {
  name: 'over',
  title: 'Users over',
  kind: 'number',
  cell: ({ overCount }) =>
    `${groupDigits(String(overCount))}${overCount >= BigInt(MOST_COUNTED) ? ' or more' : ''}`,
  csv: ({ overCount }) => String(overCount),
};
