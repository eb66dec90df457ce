import { html } from 'hono/html';
import { TAKEN_UP_REASONS } from '../../../../pricing/closing/fate.ts';
import { type LateGroup, readLateGroups } from '../../../billing/late-groups.ts';
import { readCarryingCustomers } from '../../../billing/late-items.ts';
import type { SecondPersonRequest } from '../../../billing/second-person/requests.ts';
import { readUninvoicedAmount, type UsageAmount } from '../../../billing/uninvoiced/amount.ts';
import { findUninvoiced, listUninvoiced } from '../../../billing/uninvoiced/desk.ts';
import type { UninvoicedGroup } from '../../../billing/uninvoiced/groups.ts';
import type { TableDefinition } from '../../../pages/table/columns.ts';
import { csvOfTable } from '../../../pages/table/page-of-rows.ts';
import { dataTable } from '../../../pages/table/table.ts';
import type { LedgerSnapshot } from '../../../platform/database/snapshot.ts';
import { ROW_ID } from '../../../platform/row-id.ts';
import { type ConsoleView, definePage } from '../../frame/define-page.ts';
import { CUSTOMER, PRODUCT, periodColumn, TOKENS } from '../columns.ts';
import { cutNotice } from '../cut-notice.ts';
import { listWaiting, MOST_LISTED } from '../gather.ts';
import { tokensInWords } from '../words.ts';
import { UNINVOICED_ACTS } from './acts.ts';
import { decidePanel, uninvoicedTable } from './table.ts';

interface Material {
  waiting: UninvoicedGroup[];
  /** The newest of what is over. */
  over: UninvoicedGroup[];
  /** Which the next invoices take up by themselves. */
  carried: LateGroup[];
  /** Acts that wait for a second person. */
  asked: SecondPersonRequest[];
  /** What the group comes to that is decided about; null: none is. */
  amount: UsageAmount | null;
}

const CARRIED: TableDefinition<LateGroup> = {
  name: 'carried',
  caption: 'Carried to the next invoice by itself',
  empty: 'No usage missed its invoice.',
  columns: [
    { ...CUSTOMER, isRowHeader: true },
    { ...PRODUCT, sortBy: ({ productName }) => productName },
    periodColumn('Missed the invoice of'),
    TOKENS,
  ],
};

/** Only where a second person may be needed: it is rated anew. */
async function readChosenAmount(
  snapshot: LedgerSnapshot,
  { typed, address, dependencies }: ConsoleView,
): Promise<UsageAmount | null> {
  const id = typed?.get('usage') ?? address.query.get('decide') ?? '';
  if ((dependencies.settings?.secondPerson ?? null) === null || !ROW_ID.test(id)) return null;
  const group = await findUninvoiced(snapshot, BigInt(id));
  return group === undefined ? null : await readUninvoicedAmount(snapshot, group);
}

export const uninvoicedPage = definePage<Material>({
  path: '/console/invoices/uninvoiced',
  title: 'Usage without an invoice',
  scopes: ['finance'],
  gather: async (snapshot, view) => ({
    asked: await listWaiting(snapshot, view),
    amount: await readChosenAmount(snapshot, view),
    waiting: await listUninvoiced(
      snapshot,
      { states: ['open', 'due_again'] },
      { afterId: 0n, limit: MOST_LISTED },
    ),
    over: await listUninvoiced(
      snapshot,
      { states: ['taken_up', 'written_off', 'invoiced'] },
      { afterId: 0n, limit: MOST_LISTED, isNewestFirst: true },
    ),
    carried: await readLateGroups(snapshot, await readCarryingCustomers(snapshot)),
  }),
  show: ({ waiting, over, carried, asked, amount }, view) => {
    const { address } = view;
    const open = uninvoicedTable(view, address.path);
    const done = {
      ...uninvoicedTable(view, address.path, 'Decided'),
      name: 'decided',
      empty: 'Nothing was decided yet.',
    };
    const sum = (of: readonly { tokenCount: bigint }[]) =>
      tokensInWords(of.reduce((total, { tokenCount }) => total + tokenCount, 0n));
    const needed = waiting.filter(
      ({ state, reason }) => state === 'open' && !TAKEN_UP_REASONS.includes(reason),
    );
    return {
      body: html`<p class="lead">${needed.length === 0 ? 'Nothing waits for a word' : html`${sum(needed)} wait for somebody’s word`}${carried.length === 0 ? '' : html`; ${sum(carried)} go on the next invoices by themselves`}.</p>
${cutNotice(waiting, over)}
${decidePanel(waiting, { asked, amount }, view)}
${dataTable(open, waiting, address)}
${dataTable(CARRIED, carried, address)}
${dataTable(done, over, address)}
<p class="links"><a href="/console/invoices">To the invoices</a></p>`,
      csv: {
        uninvoiced: () => csvOfTable(open, waiting, address.query),
        carried: () => csvOfTable(CARRIED, carried, address.query),
        decided: () => csvOfTable(done, over, address.query),
      },
    };
  },
  acts: UNINVOICED_ACTS,
});
