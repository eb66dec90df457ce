import { html } from 'hono/html';
import { formatMinor } from '../../../pricing/money.ts';
import type { StoredInvoice } from '../../billing/invoice-lines.ts';
import { isFinalStatus } from '../../billing/invoice-lines.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { addMs } from '../../platform/clock.ts';
import type { PortalView } from '../frame/define-page.ts';
import { tableWords } from '../statement/table-words.ts';
import type { ReaderLocale } from '../words/reader.ts';

/** A customer's invoices, each leading to its statement. */
export function invoicesTable({ locale, href }: PortalView): TableDefinition<StoredInvoice> {
  const { words } = locale;
  return {
    name: 'invoices',
    caption: words.invoices.title,
    empty: words.invoices.empty,
    words: tableWords(locale),
    pageSize: 12,
    columns: [
      {
        name: 'invoice',
        title: words.invoices.number,
        kind: 'text',
        isRowHeader: true,
        cell: ({ invoiceId, number }) =>
          html`<a href="${href(`/invoices/${encodeURIComponent(invoiceId)}`)}">${number ?? words.invoices.unnumbered}</a>`,
        csv: ({ number }) => number,
      },
      {
        name: 'period',
        title: words.invoices.period,
        kind: 'text',
        cell: ({ period }) => periodInWords(period, locale),
        csv: ({ period }) => `${period.start.toISOString()}/${period.end.toISOString()}`,
        sortBy: ({ period }) => period.end.getTime(),
      },
      {
        name: 'state',
        title: words.invoices.state,
        kind: 'text',
        cell: ({ status }) => stateInWords(status, locale),
        csv: ({ status }) => status,
        sortBy: ({ status }) => status,
      },
      {
        name: 'amount',
        title: words.invoices.amount,
        kind: 'number',
        // A draft's sum stands when it is final.
        cell: ({ status, totalMinor, currency }) =>
          isFinalStatus(status) ? locale.minor(totalMinor, currency) : html`<span class="muted">–</span>`,
        csv: ({ status, totalMinor, currency }) =>
          isFinalStatus(status) ? formatMinor(totalMinor, currency) : null,
        sortBy: ({ status, totalMinor }) => (isFinalStatus(status) ? totalMinor : null),
      },
    ],
  };
}

function stateInWords(status: string, { words: { invoices } }: ReaderLocale): string {
  const states: Readonly<Record<string, string>> = invoices.states;
  return Object.hasOwn(states, status) ? (states[status] ?? status) : status;
}

/** `November 2026` for a calendar month, else its days; the last instant is not included. */
export function periodInWords(
  { start, end }: { start: Date; end: Date },
  { words, day, month }: ReaderLocale,
): string {
  const next = Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1);
  const isMonth = start.toISOString().endsWith('-01T00:00:00.000Z') && end.getTime() === next;
  return isMonth ? month(start) : words.days.span(day(start), day(addMs(end, -1)));
}
