import { html } from 'hono/html';
import { amountInWords, formatAmount } from '../../../pricing/budgets/amounts.ts';
import { sharePermilleOf } from '../../../pricing/budgets/standing.ts';
import type { StandingBudget } from '../../budgets/standings.ts';
import { stepText } from '../../budgets/step-texts.ts';
import { unknownCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { nameCell } from '../../pages/texts.ts';
import { groupDigits } from '../../pages/words.ts';
import { budgetPath } from './address.ts';
import { forecastInWords, ofWhom, percentOf, periodInWords } from './words.ts';

const shareOf = ({ standing }: StandingBudget) =>
  standing === null ? null : Number(sharePermilleOf(standing.used, standing.effectiveLimit));

/** Budgets with where they stand; of those of users, where the user stands who used most. */
export function budgetsTable(caption: string, empty: string): TableDefinition<StandingBudget> {
  return {
    name: 'budgets',
    caption,
    empty,
    columns: [
      {
        name: 'name',
        title: 'Budget',
        kind: 'text',
        isRowHeader: true,
        cell: ({ budget }) => html`<a href="${budgetPath(budget)}">${nameCell(budget.name, 40)}</a>`,
        csv: ({ budget }) => budget.name,
        sortBy: ({ budget }) => budget.name,
      },
      {
        name: 'of',
        title: 'Of',
        kind: 'text',
        cell: ({ budget }) => ofWhom(budget),
        csv: ({ budget }) => budget.subject ?? budget.feature ?? budget.customerId ?? 'all',
      },
      {
        name: 'period',
        title: 'Each',
        kind: 'text',
        cell: ({ budget }) => periodInWords(budget),
        csv: ({ budget }) => budget.period,
      },
      {
        name: 'share',
        title: 'Share used',
        kind: 'number',
        cell: ({ standing }) =>
          standing === null ? unknownCell() : percentOf(standing.used, standing.effectiveLimit),
        csv: (row) => {
          const share = shareOf(row);
          return share === null ? null : (share / 1_000).toFixed(3);
        },
        sortBy: shareOf,
      },
      {
        name: 'used',
        title: 'Used',
        kind: 'number',
        cell: ({ budget, standing }) =>
          standing === null ? unknownCell() : amountInWords(standing.used, budget),
        csv: ({ budget, standing }) =>
          standing === null ? null : formatAmount(standing.used, budget.measure),
      },
      {
        name: 'limit',
        title: 'Limit',
        kind: 'number',
        cell: ({ budget, standing }) => amountInWords(standing?.effectiveLimit ?? budget.limit, budget),
        csv: ({ budget, standing }) => formatAmount(standing?.effectiveLimit ?? budget.limit, budget.measure),
      },
      {
        name: 'forecast',
        title: 'At the end',
        kind: 'number',
        cell: ({ budget, standing }) =>
          standing === null ? unknownCell() : forecastInWords(standing, budget),
        csv: ({ budget, standing }) =>
          standing?.forecast === null || standing === null
            ? null
            : formatAmount(standing.forecast, budget.measure),
      },
      {
        name: 'over',
        title: 'Users over',
        kind: 'number',
        cell: ({ budget, overCount, holderCount }) =>
          budget.perUser
            ? `${groupDigits(String(overCount))} of ${groupDigits(String(holderCount))}`
            : html`<span class="muted">–</span>`,
        csv: ({ budget, overCount }) => (budget.perUser ? String(overCount) : null),
      },
      {
        name: 'reached',
        title: 'Reached',
        kind: 'text',
        cell: ({ open }) =>
          open.length === 0
            ? html`<span class="muted">nothing</span>`
            : [...new Set(open.map(({ step }) => stepText(step)))].join(', '),
        csv: ({ open }) => [...new Set(open.map(({ step }) => stepText(step)))].join(' '),
      },
    ],
  };
}
