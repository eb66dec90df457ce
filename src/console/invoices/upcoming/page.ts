import { html } from 'hono/html';
import { formatMinor, minorUnitDigits, parseDecimal } from '../../../../pricing/money.ts';
import type { Html } from '../../../pages/html.ts';
import { countCell, instantCell, unknownCell } from '../../../pages/numbers.ts';
import type { TableDefinition } from '../../../pages/table/columns.ts';
import { csvCells, csvColumns } from '../../../pages/table/page-of-rows.ts';
import { pagedTable } from '../../../pages/table/table.ts';
import { idCell } from '../../../pages/texts.ts';
import { groupDigits, moneyInWords } from '../../../pages/words.ts';
import { type ConsoleView, definePage, type PageContent } from '../../frame/define-page.ts';
import { customerLink } from '../columns.ts';
import { endInWords } from '../projection.ts';
import { minorCell, periodInWords } from '../words.ts';
import {
  gatherUpcoming,
  prepareUpcoming,
  refreshUpcoming,
  type UpcomingMaterial,
  type UpcomingRow,
} from './gather.ts';
import type { UpcomingSums } from './sums.ts';

const REFRESH_ACT = 'refresh';

const linesOf = ({ preview }: UpcomingRow, kind: string) =>
  preview.lines.filter((line) => line.kind === kind);
const minorOf = (amount: string, currency: string) => parseDecimal(amount, minorUnitDigits(currency));

/** What lines of a kind come to; null: of one it is unknown. */
function sumOf(row: UpcomingRow, kind: string): string | null {
  const { currency } = row.preview;
  let total = 0n;
  for (const { amount } of linesOf(row, kind)) {
    if (amount === null) return null;
    total += minorOf(amount, currency);
  }
  return formatMinor(total, currency);
}

function money(amount: string | null, currency: string): Html | string {
  return amount === null ? unknownCell() : minorCell(minorOf(amount, currency), currency);
}

const waiting = ({ preview }: UpcomingRow) =>
  preview.quarantined.reduce((sum, { tokenCount }) => sum + BigInt(tokenCount), 0n);
const rangeOf = ({ preview }: UpcomingRow) => preview.projection.total;

const TABLE: TableDefinition<UpcomingRow> = {
  name: 'upcoming',
  caption: 'Next invoices, by customer',
  empty: 'No customer has an active subscription.',
  columns: [
    {
      name: 'customer',
      title: 'Customer',
      kind: 'text',
      isRowHeader: true,
      cell: customerLink,
      csv: ({ customerId }) => customerId,
    },
    {
      name: 'subscription',
      title: 'Subscription',
      kind: 'text',
      cell: ({ subscriptionId }) => idCell(subscriptionId),
      csv: ({ subscriptionId }) => subscriptionId,
    },
    {
      name: 'period',
      title: 'Period',
      kind: 'text',
      cell: ({ preview }) =>
        periodInWords({ periodStart: new Date(preview.periodStart), periodEnd: new Date(preview.periodEnd) }),
      csv: ({ preview }) => `${preview.periodStart}/${preview.periodEnd}`,
    },
    {
      name: 'so_far',
      title: 'So far',
      kind: 'number',
      cell: ({ preview }) => money(preview.total, preview.currency),
      csv: ({ preview }) => preview.total,
    },
    {
      name: 'currency',
      title: 'Currency',
      kind: 'text',
      cell: ({ preview }) => preview.currency.toUpperCase(),
      csv: ({ preview }) => preview.currency,
    },
    {
      name: 'late',
      title: 'Late usage on it',
      kind: 'number',
      cell: (row) => money(sumOf(row, 'late_usage'), row.preview.currency),
      csv: (row) => sumOf(row, 'late_usage'),
    },
    {
      name: 'expected_low',
      title: 'At the end, from',
      kind: 'number',
      cell: (row) => endCell(row, 'p10'),
      csv: (row) => rangeOf(row)?.p10 ?? null,
    },
    {
      name: 'expected_high',
      title: 'to',
      kind: 'number',
      cell: (row) => endCell(row, 'p90'),
      csv: (row) => rangeOf(row)?.p90 ?? null,
    },
    {
      name: 'waiting_tokens',
      title: 'Tokens that wait',
      kind: 'number',
      cell: (row) => countCell(waiting(row)),
      csv: (row) => String(waiting(row)),
    },
  ],
};

function endCell(row: UpcomingRow, end: 'p10' | 'p90'): Html | string {
  const range = rangeOf(row);
  return range === null
    ? html`<span class="muted">${end === 'p10' ? endInWords(row.preview) : '–'}</span>`
    : money(range[end], row.preview.currency);
}

function show(material: UpcomingMaterial, view: ConsoleView): PageContent {
  const { rows, sums, rowCount, pageNumber, pageCount, settledThrough } = material;
  const page = { rows, rowCount, pageNumber, pageCount, sort: null };
  return {
    body: html`<p class="lead">What each customer’s next invoice would be if its period ended now, from the ledger alone; Stripe is not asked. What Stripe adds by itself, such as taxes and items that others made, is not in it.</p>
<p class="muted">As of now${settledThrough === null ? '' : html`, while ${view.hasPage('/console/invoices/accruals') ? html`<a href="/console/invoices/accruals">what is earned and not yet invoiced</a>` : 'what is earned and not yet invoiced'} is as of ${instantCell(settledThrough)}, up to when usage is settled: that has drafts of periods that are over beside these, and not what is used since`}.</p>
${drawSums(sums)}
${drawAge(sums, view)}
${pagedTable(TABLE, page, view.address)}
${view.hasPage('/console/invoices') ? html`<p class="links"><a href="/console/invoices">To the invoices</a></p>` : ''}`,
    csv: {
      upcoming: () => ({ columns: csvColumns(TABLE), rows: rows.map((row) => csvCells(TABLE, row)) }),
    },
  };
}

/** Each currency by itself, and what of it is unknown. */
function drawSums({ byCurrency }: UpcomingSums): Html {
  return html`<dl class="figures">${byCurrency.map(({ currency, totalMinor, invoiceCount, unknownCount }) => {
    const unknown =
      unknownCount === 0 ? '' : html`; <span class="unknown">${unknownCount} more unknown</span>`;
    return html`<div><dt>So far, ${currency.toUpperCase()}</dt><dd>${moneyInWords(formatMinor(totalMinor, currency), currency)}<small>${groupDigits(String(invoiceCount))} ${invoiceCount === 1 ? 'invoice' : 'invoices'}${unknown}</small></dd></div>`;
  })}</dl>`;
}

/** How far the sums can be relied on, and the way to have them anew; nothing where they are as everything is now. */
function drawAge({ currentCount, changedCount, oldestAsOf, missingCount }: UpcomingSums, view: ConsoleView) {
  if (changedCount === 0 && missingCount === 0) return '';
  const count = (number: number) => groupDigits(String(number));
  const changed =
    changedCount === 0
      ? ''
      : html`; ${count(changedCount)} by what ${changedCount === 1 ? 'it' : 'they'} came to before something changed, the oldest at ${instantCell(oldestAsOf)}`;
  const missing = missingCount === 0 ? '' : html`; ${count(missingCount)} not yet worked out, and in no sum`;
  return html`<form method="post" action="${view.address.path}/${REFRESH_ACT}">${view.formField}<p class="notice warn">${count(currentCount)} of all ${count(currentCount + changedCount + missingCount)} next invoices are in the sums as they are now${changed}${missing}. <button class="quiet">Sum them all anew</button></p></form>`;
}

export const upcomingPage = definePage<UpcomingMaterial>({
  path: '/console/invoices/upcoming',
  title: 'Upcoming invoices',
  scopes: ['finance', 'sales'],
  prepare: prepareUpcoming,
  gather: gatherUpcoming,
  show,
  acts: { [REFRESH_ACT]: refreshUpcoming },
});
