import { html } from 'hono/html';
import { listBudgets } from '../../budgets/budgets.ts';
import {
  type Freshness,
  readFreshness,
  readStandings,
  type StandingBudget,
} from '../../budgets/standings.ts';
import { hasScope } from '../../identity/require-scope.ts';
import { instantCell } from '../../pages/numbers.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { groupDigits } from '../../pages/words.ts';
import { definePage } from '../frame/define-page.ts';
import { BUDGETS_PATH, NEW_BUDGET_PATH } from './address.ts';
import { budgetsTable } from './table.ts';
import { isUsedUp } from './words.ts';

interface Material {
  rows: StandingBudget[];
  freshness: Freshness;
}

/** The one that is nearest to its limit, or furthest above, first. */
const nearest = (left: StandingBudget, right: StandingBudget) => shareOf(right) - shareOf(left);
const shareOf = ({ standing }: StandingBudget) =>
  standing === null ? -1 : Number((standing.used * 1_000_000n) / standing.effectiveLimit);

export const budgetsPage = definePage<Material>({
  path: BUDGETS_PATH,
  title: 'Budgets',
  scopes: ['sales', 'finance'],
  rail: { title: 'Budgets', key: 'b' },
  gather: async (snapshot, { now }) => ({
    rows: (await readStandings(snapshot, await listBudgets(snapshot), now)).toSorted(nearest),
    freshness: await readFreshness(snapshot, now),
  }),
  show: ({ rows, freshness }, { address, caller }) => {
    const table = budgetsTable(
      'Budgets, by the share that is used',
      'There is no budget. Whoever may act on finances makes one here, by “tallystick budgets create” or POST /v1/budgets.',
    );
    return {
      body: html`<p class="lead">${answer(rows)}${hasScope(caller, ['finance']) ? html` <a class="button" href="${NEW_BUDGET_PATH}">New budget</a>` : ''}</p>
${dataTable(table, rows, address)}
<p class="muted">Counted from what is collected, settled or not, ${freshness.collectedUntil === null ? 'of which there is nothing yet' : html`up to ${instantCell(freshness.collectedUntil)}`}${freshness.isWaiting ? '; newer usage is being counted' : ''}. Of budgets of users, the user who used most.</p>`,
      csv: { budgets: () => csvOfTable(table, rows, address.query) },
    };
  },
});

function answer(rows: readonly StandingBudget[]): string {
  if (rows.length === 0) return 'Nothing is limited.';
  const over = rows.filter(isUsedUp).length;
  const count = `${groupDigits(String(rows.length))} ${rows.length === 1 ? 'budget' : 'budgets'}`;
  return over === 0
    ? `Of ${count}, none is used up.`
    : `Of ${count}, ${groupDigits(String(over))} ${over === 1 ? 'is' : 'are'} used up.`;
}
