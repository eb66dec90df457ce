import { html } from 'hono/html';
import { moneyCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { instantColumn } from '../../pages/table/made-columns.ts';
import { actorInWords, nameCell } from '../../pages/texts.ts';
import type { EarlierQuote } from '../../quotes/earlier.ts';
import { NEW_QUOTE_PATH } from './form/draw.ts';

export const QUOTE_STATES = ['open', 'accepted', 'expired'] as const;

/** Quotes that were made, of everybody. */
export function earlierTable(now: Date): TableDefinition<EarlierQuote> {
  return {
    name: 'quotes',
    caption: 'Earlier quotes',
    sort: '-created',
    empty: html`There is none yet. <a href="${NEW_QUOTE_PATH}">Make the first</a>.`,
    filters: [
      { name: 'text', title: 'Title, customer or id' },
      { name: 'by', title: 'By' },
      { name: 'state', title: 'State', options: QUOTE_STATES.map((value) => ({ value, title: value })) },
    ],
    columns: [
      {
        name: 'title',
        title: 'Quote',
        kind: 'text',
        isRowHeader: true,
        cell: ({ quoteId, title }) =>
          html`<a href="/console/quotes/${quoteId}">${nameCell(title ?? 'Quote for AI usage')}</a>`,
        csv: ({ title }) => title,
      },
      {
        name: 'customer',
        title: 'For',
        kind: 'text',
        cell: ({ preparedFor, customerId }) =>
          preparedFor === null && customerId === null
            ? html`<span class="muted">–</span>`
            : nameCell(preparedFor ?? customerId ?? ''),
        csv: ({ preparedFor, customerId }) => preparedFor ?? customerId,
        sortBy: ({ customerId }) => customerId,
      },
      {
        name: 'amount',
        title: 'A month',
        kind: 'number',
        cell: ({ offeredAmount, currency }) => moneyCell(offeredAmount, currency),
        csv: ({ offeredAmount }) => offeredAmount,
        // The order is the statement's, within each currency.
        sortBy: ({ offeredAmount }) => offeredAmount,
      },
      {
        name: 'currency',
        title: 'Currency',
        kind: 'text',
        cell: ({ currency }) => currency.toUpperCase(),
        csv: ({ currency }) => currency,
      },
      instantColumn('created', 'Made', ({ createdAt }) => createdAt),
      {
        name: 'by',
        title: 'By',
        kind: 'text',
        cell: ({ createdBy }) => nameCell(actorInWords(createdBy)),
        csv: ({ createdBy }) => createdBy,
        sortBy: ({ createdBy }) => createdBy,
      },
      {
        name: 'until',
        title: 'State',
        kind: 'text',
        cell: (quote) => stateCell(quote, now),
        csv: ({ validUntil }) => validUntil?.toISOString() ?? null,
        sortBy: ({ validUntil }) => validUntil?.getTime() ?? null,
      },
      {
        name: 'accepted',
        title: 'Accepted by',
        kind: 'text',
        cell: ({ acceptedBy }) =>
          acceptedBy === null ? html`<span class="muted">–</span>` : nameCell(acceptedBy),
        csv: ({ acceptedBy, acceptedAt }) =>
          acceptedAt === null ? null : `${acceptedAt.toISOString()} ${acceptedBy}`,
      },
      {
        name: 'id',
        title: 'Again',
        kind: 'text',
        cell: ({ quoteId, title }) =>
          html`<a href="${NEW_QUOTE_PATH}?from=${quoteId}" aria-label="Start from this: ${title ?? quoteId}">Start from this</a>`,
        csv: ({ quoteId }) => quoteId,
      },
    ],
  };
}

function stateCell({ validUntil, acceptedAt }: EarlierQuote, now: Date) {
  if (acceptedAt !== null) {
    return html`<span class="tag good">accepted ${acceptedAt.toISOString().slice(0, 10)}</span>`;
  }
  if (validUntil === null) return html`<span class="muted">–</span>`;
  const day = validUntil.toISOString().slice(0, 10);
  return validUntil > now
    ? html`open until <time>${day}</time>`
    : html`<span class="muted">expired <time>${day}</time></span>`;
}
