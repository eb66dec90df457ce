import { html } from 'hono/html';
import { formatMinor } from '../../../pricing/money.ts';
import type { InvoiceRow } from '../../closing/invoice-list.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { nameCell } from '../../pages/texts.ts';
import { customerLink, periodColumn } from './columns.ts';
import { groupOf, minorCell, minorInMoney, nameOf, nextInWords, stateTag, tokensInWords } from './words.ts';

export const INVOICE_COLUMNS: readonly Column<InvoiceRow>[] = [
  {
    name: 'invoice',
    title: 'Invoice',
    kind: 'text',
    isRowHeader: true,
    cell: (row) =>
      html`<a href="/console/invoices/${encodeURIComponent(row.invoiceId)}">${nameCell(nameOf(row), 40)}</a>`,
    csv: nameOf,
    sortBy: nameOf,
  },
  {
    name: 'customer',
    title: 'Customer',
    kind: 'text',
    cell: customerLink,
    csv: ({ customerName }) => customerName,
    sortBy: ({ customerName }) => customerName,
  },
  { ...periodColumn('Period'), sortBy: ({ periodEnd }) => periodEnd.getTime() },
  {
    name: 'sum',
    title: 'Sum',
    kind: 'number',
    cell: ({ totalMinor, currency }) => minorCell(totalMinor, currency),
    csv: ({ totalMinor, currency }) => formatMinor(totalMinor, currency),
    sortBy: ({ totalMinor }) => totalMinor,
  },
  {
    name: 'late',
    title: 'Late usage',
    kind: 'number',
    cell: ({ lateTokenCount, lateAmountMinor, currency }) =>
      lateTokenCount === 0n
        ? html`<span class="muted">none</span>`
        : html`<span title="${tokensInWords(lateTokenCount)}">${minorInMoney(lateAmountMinor, currency)}</span>`,
    csv: ({ lateAmountMinor, currency }) => formatMinor(lateAmountMinor, currency),
    sortBy: ({ lateAmountMinor }) => lateAmountMinor,
  },
  {
    name: 'state',
    title: 'State',
    kind: 'text',
    cell: stateTag,
    csv: ({ closeState, status }) => closeState ?? status,
    sortBy: ({ closeState, status }) => closeState ?? status,
  },
];

/** What proves an invoice that is over. */
export const CERTIFICATE: Column<InvoiceRow> = {
  name: 'certificate',
  title: 'Certificate',
  kind: 'text',
  cell: ({ certificateSha256: sha256, driftTokenCount, invoiceId, number }) =>
    sha256 === null
      ? html`<span class="muted">none</span>`
      : html`<a href="/console/invoices/${encodeURIComponent(invoiceId)}/certificate"><code>${sha256.slice(0, 12)}</code><span class="unseen">, the certificate of ${number ?? invoiceId}</span></a>${driftTokenCount === 0n ? '' : html` <span class="tag warn">differs</span>`}`,
  csv: ({ certificateSha256 }) => certificateSha256,
};

/** What goes on by itself. */
export function progressTable(now: Date): TableDefinition<InvoiceRow> {
  return {
    name: 'progress',
    caption: 'In progress',
    empty: 'No invoice is on its way.',
    sort: '-period',
    columns: [
      ...INVOICE_COLUMNS,
      { name: 'next', title: 'What comes next', kind: 'text', cell: (row) => nextInWords(row, now) },
    ],
  };
}

/** What is over, and what proves it. */
export function doneTable(periodInWords: string): TableDefinition<InvoiceRow> {
  return {
    name: 'done',
    caption: `Done, ${periodInWords}`,
    empty: `No invoice of ${periodInWords} is done.`,
    sort: 'customer',
    columns: [...INVOICE_COLUMNS, CERTIFICATE],
  };
}

const text = (name: string, csv: (row: InvoiceRow) => string | null): Column<InvoiceRow> => ({
  name,
  title: name,
  kind: 'text',
  cell: () => '',
  csv,
});

/** The month as finance reads it: every invoice whose period ended in it, exact, whatever its state. */
export const MONTH_TABLE: TableDefinition<InvoiceRow> = {
  name: 'month',
  caption: 'The month',
  empty: '',
  columns: [
    text('invoice_id', ({ invoiceId }) => invoiceId),
    text('number', ({ number }) => number),
    text('customer_id', ({ customerId }) => customerId),
    text('customer_name', ({ customerName }) => customerName),
    text('period_start', ({ periodStart }) => periodStart.toISOString()),
    text('period_end', ({ periodEnd }) => periodEnd.toISOString()),
    text('currency', ({ currency }) => currency),
    text('total', ({ totalMinor, currency }) => formatMinor(totalMinor, currency)),
    text('credited', ({ creditedMinor, currency }) => formatMinor(creditedMinor, currency)),
    text('late_usage', ({ lateAmountMinor, currency }) => formatMinor(lateAmountMinor, currency)),
    text('late_token_count', ({ lateTokenCount }) => String(lateTokenCount)),
    text('status', ({ status }) => status),
    text('group', groupOf),
    text('close_state', ({ closeState }) => closeState),
    text('deadline', ({ deadline }) => deadline?.toISOString() ?? null),
    text('ended_at', ({ endedAt }) => endedAt?.toISOString() ?? null),
    text('released_by', ({ releasedBy }) => releasedBy),
    text('released_reason', ({ releasedReason }) => releasedReason),
    text('certificate_sha256', ({ certificateSha256 }) => certificateSha256),
    text('certified_drift_token_count', ({ driftTokenCount }) =>
      driftTokenCount === null ? null : String(driftTokenCount),
    ),
  ],
};
