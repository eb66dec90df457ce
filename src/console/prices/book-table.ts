import { html } from 'hono/html';
import { DEPLOYMENT_TYPES, PRICE_KINDS } from '../../../pricing/prices/rows.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { decimalOrder } from '../../pages/table/decimal-order.ts';
import { nameCell } from '../../pages/texts.ts';
import { tokenTypeInWords } from '../../pages/words.ts';
import type { PriceInForce } from '../../prices/in-force.ts';
import { historyAddress } from './address.ts';
import { amountCell, amountOf, dayCell, kindInWords, tiersInWords, typeInWords } from './words.ts';

export const BOOK_NAME = 'prices';

/** The book as of an instant. @param titles of the sources, by their key */
export function bookTable(
  titles: Readonly<Record<string, { title: string }>>,
): TableDefinition<PriceInForce> {
  return {
    name: BOOK_NAME,
    caption: 'What Azure charges',
    sort: 'model',
    empty: 'The book has no price of that day.',
    filters: [
      {
        name: 'model',
        title: 'Model',
        matches: ({ row }, text) => row.model.toLowerCase().includes(text.toLowerCase()),
      },
      {
        name: 'tokenType',
        title: 'Tokens',
        options: PRICE_KINDS.map((value) => ({ value, title: tokenTypeInWords(value) })),
        matches: ({ row }, value) => row.tokenType === value,
      },
      {
        name: 'type',
        title: 'Deployment',
        options: DEPLOYMENT_TYPES.map((value) => ({ value, title: typeInWords(value) })),
        matches: ({ row }, value) => row.deploymentType === value,
      },
    ],
    columns: [
      {
        name: 'model',
        title: 'Model',
        kind: 'text',
        isRowHeader: true,
        cell: ({ row }) => html`<a href="${historyAddress(row)}">${nameCell(row.model)}</a>`,
        csv: ({ row }) => row.model,
        // Of one model the kinds stand together, and global first.
        sortBy: ({ row }) =>
          `${row.model} ${PRICE_KINDS.indexOf(row.tokenType)} ${DEPLOYMENT_TYPES.indexOf(row.deploymentType)} ${row.region} ${tiersInWords(row).join()}`,
      },
      {
        name: 'tokenType',
        title: 'Tokens',
        kind: 'text',
        cell: ({ row }) => kindInWords(row),
        csv: ({ row }) => [row.tokenType, ...tiersInWords(row)].join(', '),
        sortBy: ({ row }) => `${row.tokenType} ${tiersInWords(row).join()}`,
      },
      {
        name: 'type',
        title: 'Deployment',
        kind: 'text',
        cell: ({ row }) => typeInWords(row.deploymentType),
        csv: ({ row }) => row.deploymentType,
        sortBy: ({ row }) => row.deploymentType,
      },
      {
        name: 'region',
        title: 'Region',
        kind: 'text',
        cell: ({ row }) => (row.region === '*' ? html`<span class="muted">any</span>` : nameCell(row.region)),
        csv: ({ row }) => row.region,
        sortBy: ({ row }) => row.region,
      },
      {
        name: 'amount',
        title: 'A million',
        kind: 'number',
        cell: ({ row }) => amountCell(row),
        csv: ({ row }) => amountOf(row),
        sortBy: ({ row }) => decimalOrder(amountOf(row)),
      },
      {
        name: 'from',
        title: 'Since',
        kind: 'text',
        cell: ({ row }) => dayCell(row.effectiveFrom, 'ever'),
        csv: ({ row }) => row.effectiveFrom,
        sortBy: ({ row }) => row.effectiveFrom ?? '',
      },
      {
        name: 'until',
        title: 'Until',
        kind: 'text',
        cell: ({ until }) => dayCell(until),
        csv: ({ until }) => until,
        sortBy: ({ until }) => until,
      },
      {
        name: 'source',
        title: 'Source',
        kind: 'text',
        cell: ({ row }) =>
          html`<span title="${titles[row.source]?.title ?? ''}">${nameCell(row.source)}${row.confirmed ? html` <span class="tag good">confirmed</span>` : ''}</span>`,
        csv: ({ row }) => row.source,
        sortBy: ({ row }) => row.source,
      },
    ],
  };
}
