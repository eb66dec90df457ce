import { html } from 'hono/html';
import { amountToCredit, type CreditProposal, listCreditProposals } from '../../../billing/credits.ts';
import type { SecondPersonRequest } from '../../../billing/second-person/requests.ts';
import { csvOfTable } from '../../../pages/table/page-of-rows.ts';
import { dataTable } from '../../../pages/table/table.ts';
import { definePage } from '../../frame/define-page.ts';
import { cutNotice } from '../cut-notice.ts';
import { listWaiting, MOST_LISTED } from '../gather.ts';
import { minorInMoney } from '../words.ts';
import { CREDIT_ACTS } from './acts.ts';
import { creditsTable, decidePanel } from './table.ts';

interface Material {
  waiting: CreditProposal[];
  /** The newest of what is over. */
  decided: CreditProposal[];
  /** Acts that wait for a second person. */
  asked: SecondPersonRequest[];
}

export const creditsPage = definePage<Material>({
  path: '/console/invoices/credits',
  title: 'What is to be given back',
  scopes: ['finance'],
  gather: async (snapshot, view) => ({
    asked: await listWaiting(snapshot, view),
    waiting: await listCreditProposals(snapshot, {
      states: ['proposed', 'approved'],
      afterId: 0n,
      limit: MOST_LISTED,
    }),
    decided: await listCreditProposals(snapshot, {
      states: ['created', 'rejected'],
      afterId: 0n,
      limit: MOST_LISTED,
      isNewestFirst: true,
    }),
  }),
  show: ({ waiting, decided, asked }, view) => {
    const { path, query } = view.address;
    const open = creditsTable(view, path, 'Wait for a decision, or for their credit note');
    const over = {
      ...creditsTable(view, path, 'Decided'),
      name: 'decided',
      empty: 'Nothing was decided yet.',
    };
    return {
      body: html`<p class="lead">${answer(waiting)}</p>
${cutNotice(waiting, decided)}
${decidePanel(waiting, asked, view)}
${dataTable(open, waiting, view.address)}
${dataTable(over, decided, view.address)}
<p class="links"><a href="/console/invoices">To the invoices</a></p>`,
      csv: {
        credits: () => csvOfTable(open, waiting, query),
        decided: () => csvOfTable(over, decided, query),
      },
    };
  },
  acts: CREDIT_ACTS,
});

function answer(waiting: readonly CreditProposal[]): string {
  const proposed = waiting.filter(({ state }) => state === 'proposed');
  if (proposed.length === 0) return 'No credit waits for a decision.';
  const sums = [...Map.groupBy(proposed, ({ currency }) => currency)].map(([currency, of]) =>
    minorInMoney(
      of.reduce((sum, credit) => sum + amountToCredit(credit), 0n),
      currency,
    ),
  );
  return `${proposed.length === 1 ? 'One invoice' : `${proposed.length} invoices`} billed more than was used: ${sums.join(' and ')}. Nothing is given back before somebody says so.`;
}
