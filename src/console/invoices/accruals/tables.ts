import { html } from 'hono/html';
import type { AccrualRow, AccrualTotals } from '../../../../pricing/accruals/row.ts';
import { formatMinor } from '../../../../pricing/money.ts';
import { addressWith } from '../../../pages/address.ts';
import type { Html } from '../../../pages/html.ts';
import { countCell, unknownCell } from '../../../pages/numbers.ts';
import type { Column, TableDefinition } from '../../../pages/table/columns.ts';
import { countColumn } from '../../../pages/table/made-columns.ts';
import { nameCell } from '../../../pages/texts.ts';
import type { ConsoleView } from '../../frame/define-page.ts';
import { inWords } from '../../pipeline/reason-words.ts';
import { invoiceLink } from '../columns.ts';
import { minorCell, periodInWords } from '../words.ts';

/** A customer's sums in one currency. */
export interface CustomerSums {
  /** Empty: nobody's. */
  customerId: string;
  customerName: string;
  totals: AccrualTotals;
}

const money = (amountMinor: bigint | null, currency: string | null): Html | string =>
  amountMinor === null || currency === null ? unknownCell() : minorCell(amountMinor, currency);
const exact = (amountMinor: bigint | null, currency: string | null) =>
  amountMinor === null || currency === null ? null : formatMinor(amountMinor, currency);

function sumColumn(
  name: string,
  title: string,
  read: (totals: AccrualTotals) => bigint | null,
): Column<CustomerSums> {
  return {
    name,
    title,
    kind: 'number',
    cell: ({ totals }) => money(read(totals), totals.currency),
    csv: ({ totals }) => exact(read(totals), totals.currency),
  };
}

/** A page of customers: which they are, the address says. */
export function sumsTable({ address }: ConsoleView): TableDefinition<CustomerSums> {
  return {
    name: 'accruals',
    caption: 'By customer and currency',
    empty: 'Nothing was used, and nothing is to be invoiced.',
    pageSize: 25,
    columns: [
      {
        name: 'customer',
        title: 'Customer',
        kind: 'text',
        isRowHeader: true,
        cell: ({ customerId, customerName }) =>
          html`<a href="${addressWith(address, { customer: customerId, 'accruals-page': null })}">${customerId === '' ? 'nobody’s' : nameCell(customerName, 40)}</a>`,
      },
      {
        name: 'currency',
        title: 'Currency',
        kind: 'text',
        cell: ({ totals }) => totals.currency?.toUpperCase() ?? unknownCell(),
      },
      sumColumn('earned', 'Earned', ({ earnedAmountMinor }) => earnedAmountMinor),
      sumColumn('invoiced', 'On final invoices', ({ invoicedAmountMinor }) => invoicedAmountMinor),
      sumColumn('accrued', 'Not yet invoiced', ({ accruedAmountMinor }) => accruedAmountMinor),
      sumColumn('undecided', 'On none by itself', ({ undecidedAmountMinor }) => undecidedAmountMinor),
      countColumn(
        'unvalued',
        'Tokens without an amount',
        ({ totals }: CustomerSums) => totals.unvaluedTokenCount,
      ),
      // Of all time: what waits has no amount, whenever it was used.
      countColumn('quarantined', 'In quarantine', ({ totals }: CustomerSums) => totals.quarantinedTokenCount),
    ],
  };
}

const PLACE_WORDS: Record<AccrualRow['place'], string> = {
  invoiced: 'on a final invoice',
  awaiting_invoice: 'awaits its invoice',
  due: 'not delivered yet',
  uninvoiced: 'on no invoice',
  quarantined: 'in quarantine',
  written_off: 'given up',
};

/** What a customer's sums are made of. */
export const ROWS_TABLE: TableDefinition<AccrualRow> = {
  name: 'rows',
  caption: 'What it is made of',
  empty: 'Nothing.',
  columns: [
    {
      name: 'what',
      title: 'What',
      kind: 'text',
      isRowHeader: true,
      cell: ({ description, kind }) => nameCell(description === '' ? kind : description, 60),
    },
    {
      name: 'place',
      title: 'Where it is',
      kind: 'text',
      cell: ({ place, reason }) =>
        html`<span>${PLACE_WORDS[place]}${reason === null ? '' : html`<span class="muted">: ${inWords(reason)}</span>`}</span>`,
    },
    {
      name: 'invoice',
      title: 'Invoice',
      kind: 'text',
      cell: ({ invoice }) => invoiceLink(invoice?.invoiceId ?? null, 'none yet'),
    },
    {
      name: 'period',
      title: 'Period',
      kind: 'text',
      cell: ({ period }) =>
        period === null
          ? html`<span class="muted">–</span>`
          : periodInWords({ periodStart: period.start, periodEnd: period.end }),
    },
    {
      name: 'tokens',
      title: 'Tokens',
      kind: 'number',
      cell: ({ tokenCount }) => countCell(tokenCount),
    },
    {
      name: 'amount',
      title: 'Amount',
      kind: 'number',
      cell: ({ amountMinor, currency }) => money(amountMinor, currency),
    },
    {
      name: 'earned',
      title: 'Earned of it',
      kind: 'number',
      cell: ({ earnedAmountMinor, kind, currency }) =>
        kind === 'fixed' ? html`<span class="muted">for no usage</span>` : money(earnedAmountMinor, currency),
    },
    {
      name: 'accrued',
      title: 'To be invoiced',
      kind: 'text',
      cell: ({ isAccrued }) => (isAccrued ? 'yes' : html`<span class="muted">no</span>`),
    },
  ],
};
