import { html } from 'hono/html';
import { countCell } from '../../pages/numbers.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { nameCell } from '../../pages/texts.ts';
import type { SimulatedChange } from '../../simulations/changes.ts';
import type { SimulatedFigures } from '../../simulations/schemas.ts';
import { signedMoney } from './amounts.ts';
import { COST, MARGIN, REVENUE, type ShownFigure } from './figures.ts';

export const CHANGES_NAME = 'customers';

/** What a scenario changes, customer by customer. */
export function changesTable(shown: {
  currencies: readonly string[];
  addressOf: (customerId: string) => string | null;
}): TableDefinition<SimulatedChange> {
  return {
    name: CHANGES_NAME,
    caption: 'Customers',
    sort: '-margin',
    pageSize: 25,
    empty: 'No customer has usage in this period.',
    filters: [
      { name: 'customer', title: 'Name or id' },
      ...(shown.currencies.length > 1
        ? [
            {
              name: 'currency',
              title: 'Currency',
              options: shown.currencies.map((value) => ({ value, title: value.toUpperCase() })),
            },
          ]
        : []),
    ],
    columns: [
      {
        name: 'customer',
        title: 'Customer',
        kind: 'text',
        isRowHeader: true,
        cell: ({ customerId, name }) => {
          if (customerId === null) return html`<span class="muted">nobody’s usage</span>`;
          const href = shown.addressOf(customerId);
          const called = nameCell(name ?? customerId, 40);
          return href === null ? called : html`<a href="${href}">${called}</a>`;
        },
        csv: ({ customerId }) => customerId,
        sortBy: ({ customerId }) => customerId,
      },
      {
        name: 'tokens',
        title: 'Tokens',
        kind: 'number',
        cell: ({ before }) => countCell(BigInt(before.tokenCount)),
        csv: ({ before }) => before.tokenCount,
        sortBy: ({ before }) => BigInt(before.tokenCount),
      },
      beforeAndAfter('revenue', 'They pay', REVENUE),
      changeColumn(
        'revenue',
        'change',
        ({ revenueDelta }) => revenueDelta,
        ({ before }) => before.currency,
      ),
      beforeAndAfter('cost', 'It costs us', COST),
      changeColumn(
        'cost',
        'change',
        ({ costDelta }) => costDelta,
        () => 'usd',
      ),
      beforeAndAfter('margin', 'Margin', MARGIN),
      changeColumn(
        'margin',
        'change',
        ({ marginDelta }) => marginDelta,
        ({ before }) => before.currency,
      ),
    ],
  };
}

/** The same for a file: every figure exact, and its currency. */
export function changesExport(
  definition: TableDefinition<SimulatedChange>,
): TableDefinition<SimulatedChange> {
  const cell = () => '';
  const column = (
    name: string,
    csv: (change: SimulatedChange) => string | null,
  ): Column<SimulatedChange> => ({
    name,
    title: name,
    kind: 'text',
    cell,
    csv,
  });
  const both = (name: string, csv: (figures: SimulatedFigures) => string | null) => [
    column(`${name}Before`, ({ before }) => csv(before)),
    column(`${name}After`, ({ after }) => csv(after)),
  ];
  return {
    ...definition,
    columns: [
      column('customer', ({ customerId }) => customerId),
      column('name', ({ name }) => name),
      ...both('currency', ({ currency }) => currency),
      ...both('tokenCount', ({ tokenCount }) => tokenCount),
      ...both('revenue', ({ revenue }) => revenue.amount),
      column('revenueDelta', ({ revenueDelta }) => revenueDelta),
      ...both('costUsd', ({ cost }) => cost.amount),
      column('costDeltaUsd', ({ costDelta }) => costDelta),
      ...both('margin', ({ margin }) => margin.amount),
      ...both('knownMargin', ({ knownMargin }) => knownMargin.amount),
      ...both('unknownTokenPercent', ({ unknownTokenPercent }) => unknownTokenPercent),
      column('marginDelta', ({ marginDelta }) => marginDelta),
    ],
  };
}

function beforeAndAfter(
  name: string,
  title: string,
  { amount, unknown }: ShownFigure,
): Column<SimulatedChange> {
  return {
    name: `${name}After`,
    title,
    kind: 'number',
    cell: ({ before, after }) =>
      html`<span>${amount(after)}<small class="muted">was ${amount(before)}</small>${unknown(after) ?? unknown(before)}</span>`,
  };
}

function changeColumn(
  name: 'revenue' | 'cost' | 'margin',
  title: string,
  read: (change: SimulatedChange) => string | null,
  currencyOf: (change: SimulatedChange) => string | null,
): Column<SimulatedChange> {
  return {
    name,
    title,
    kind: 'number',
    cell: (change) => {
      const delta = read(change);
      const currency = currencyOf(change);
      return delta === null || currency === null
        ? html`<span class="muted">–</span>`
        : signedMoney(delta, currency);
    },
    sortBy: (change) => read(change),
  };
}
