import { html } from 'hono/html';
import type { AccrualRow } from '../../../../pricing/accruals/row.ts';
import { formatMinor } from '../../../../pricing/money.ts';
import type { InvoiceRow } from '../../../closing/invoice-list.ts';
import type { Html } from '../../../pages/html.ts';
import { countCell, instantCell, unknownCell } from '../../../pages/numbers.ts';
import type { TableDefinition } from '../../../pages/table/columns.ts';
import { nameCell } from '../../../pages/texts.ts';
import type { AuditRecord } from '../../../platform/database/audit-log.ts';
import type { EarlierQuote } from '../../../quotes/earlier.ts';
import { auditTable } from '../../audit/table.ts';
import type { ConsoleView } from '../../frame/define-page.ts';
import { CERTIFICATE, INVOICE_COLUMNS } from '../../invoices/tables.ts';
import { minorCell, nameOf, periodInWords } from '../../invoices/words.ts';
import { inWords } from '../../pipeline/reason-words.ts';
import { earlierTable } from '../../quotes/earlier-table.ts';
import type { Accrued } from './gather.ts';

/** The customer's invoices, with what proves and explains each. */
export function invoicesTable({ formField }: ConsoleView): TableDefinition<InvoiceRow> {
  return {
    name: 'invoices',
    caption: 'Invoices',
    sort: '-period',
    pageSize: 25,
    empty: 'There is none yet.',
    columns: [
      ...INVOICE_COLUMNS.filter(({ name }) => name !== 'customer'),
      CERTIFICATE,
      {
        name: 'statement',
        title: 'Statement',
        kind: 'text',
        cell: (row) =>
          html`<form method="post" action="/console/invoices/${encodeURIComponent(row.invoiceId)}/statement">${formField}<button class="quiet">Link<span class="unseen"> to the statement of ${nameOf(row)}</span></button></form>`,
      },
    ],
  };
}

/** What an invoice of the customer is not final about, and where it is. */
export const ACCRUALS_TABLE: TableDefinition<AccrualRow> = {
  name: 'accruals',
  caption: 'Used and on no final invoice',
  pageSize: 10,
  empty: 'Everything that was used is on a final invoice.',
  columns: [
    {
      name: 'place',
      title: 'Where it is',
      kind: 'text',
      isRowHeader: true,
      cell: placeInWords,
      csv: ({ place }) => place,
    },
    {
      name: 'reason',
      title: 'Reason',
      kind: 'text',
      cell: ({ reason }) => (reason === null ? '' : inWords(reason)),
      csv: ({ reason }) => reason,
    },
    {
      name: 'description',
      title: 'What',
      kind: 'text',
      cell: ({ description }) =>
        description === '' ? html`<span class="muted">usage</span>` : nameCell(description),
      csv: ({ description }) => description,
    },
    {
      name: 'period',
      title: 'Of',
      kind: 'text',
      cell: ({ period }) =>
        period === null ? '' : periodInWords({ periodStart: period.start, periodEnd: period.end }),
      csv: ({ period }) =>
        period === null ? null : `${period.start.toISOString()}/${period.end.toISOString()}`,
    },
    {
      name: 'tokens',
      title: 'Tokens',
      kind: 'number',
      cell: ({ tokenCount }) => countCell(tokenCount),
      csv: ({ tokenCount }) => String(tokenCount),
    },
    {
      name: 'amount',
      title: 'Amount',
      kind: 'number',
      cell: ({ amountMinor, currency }) =>
        amountMinor === null || currency === null ? unknownCell() : minorCell(amountMinor, currency),
      csv: ({ amountMinor, currency }) =>
        amountMinor === null || currency === null ? null : formatMinor(amountMinor, currency),
    },
    {
      name: 'currency',
      title: 'Currency',
      kind: 'text',
      cell: ({ currency }) => currency?.toUpperCase() ?? '',
      csv: ({ currency }) => currency,
    },
    {
      name: 'accrued',
      title: 'Comes by itself',
      kind: 'text',
      cell: ({ isAccrued }) => (isAccrued ? 'yes' : 'no'),
      csv: ({ isAccrued }) => String(isAccrued),
    },
  ],
};

function placeInWords({ place }: AccrualRow): string {
  switch (place) {
    case 'invoiced':
      return 'on a final invoice';
    case 'awaiting_invoice':
      return 'on the invoice to come';
    case 'due':
      return 'on its way to Stripe';
    case 'uninvoiced':
      return 'on no invoice';
    case 'quarantined':
      return 'in quarantine';
    case 'written_off':
      return 'given up';
  }
}

/** What is earned and not yet invoiced, each currency by itself. */
export function accruedFigures({ window, totals }: Accrued): Html {
  if (totals.length === 0)
    return html`<p class="muted">Nothing has been used this month, and nothing waits.</p>`;
  return html`<dl class="figures">${totals.map((total) => {
    const money = (minor: bigint | null) =>
      total.currency === null || minor === null ? unknownCell() : minorCell(minor, total.currency);
    return html`<div><dt>Not yet invoiced${total.currency === null ? '' : `, ${total.currency.toUpperCase()}`}</dt><dd>${money(total.accruedAmountMinor)}<small>of ${countCell(total.accruedTokenCount)} tokens; an invoice to come has it by itself</small></dd></div>
  <div><dt>Earned since ${instantCell(window.start)}</dt><dd>${money(total.earnedAmountMinor)}<small>${total.unvaluedTokenCount === 0n ? 'all of it has an amount' : html`<span class="unknown">${countCell(total.unvaluedTokenCount)} tokens more without an amount</span>`}</small></dd></div>
  ${total.undecidedTokenCount === 0n ? '' : html`<div><dt>On no invoice until a person says so</dt><dd>${money(total.undecidedAmountMinor)}<small>${countCell(total.undecidedTokenCount)} tokens</small></dd></div>`}`;
  })}</dl>
<p class="muted">As of ${instantCell(window.end)}, up to when usage is settled.</p>`;
}

/** The customer's quotes, of everybody. */
export function customerQuotes(now: Date): TableDefinition<EarlierQuote> {
  const { filters: _filters, ...table } = earlierTable(now);
  return {
    ...table,
    caption: 'Quotes',
    pageSize: 25,
    empty: 'None was made for this customer.',
    columns: table.columns.filter(({ name }) => name !== 'customer'),
  };
}

/** What was done to the customer, the newest first. */
export function customerActs(): TableDefinition<AuditRecord> {
  const { filters: _filters, ...table } = auditTable([]);
  return {
    ...table,
    caption: 'Who changed what of it',
    pageSize: 25,
    empty: 'Nobody has changed anything of it.',
  };
}
