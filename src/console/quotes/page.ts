import { html } from 'hono/html';
import { textOf } from '../../pages/address.ts';
import { choosePage, csvCells, csvColumns, readTableQuery } from '../../pages/table/page-of-rows.ts';
import { pagedTable } from '../../pages/table/table.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import {
  countEarlierQuotes,
  type EarlierFilter,
  type EarlierOrder,
  type EarlierQuote,
  listEarlierQuotes,
} from '../../quotes/earlier.ts';
import { type ConsoleView, definePage, type WholeCsv } from '../frame/define-page.ts';
import { earlierTable, QUOTE_STATES } from './earlier-table.ts';
import { NEW_QUOTE_PATH } from './form/draw.ts';

interface Material {
  quotes: EarlierQuote[];
  quoteCount: number;
  order: EarlierOrder;
}

/** Which quotes the address asks for, and in which order. */
function readAsked({ address: { query }, now }: ConsoleView) {
  const filter: EarlierFilter = {
    text: textOf(query, 'text'),
    createdBy: textOf(query, 'by'),
    state: QUOTE_STATES.find((state) => state === query.get('state')),
    now,
  };
  const { pageNumber, pageSize, sort } = readTableQuery(earlierTable(now), query);
  const order = (sort?.column ?? 'created') as EarlierOrder;
  return { filter, order, isDescending: sort?.isDescending ?? true, pageNumber, pageSize };
}

async function gather(snapshot: LedgerSnapshot, view: ConsoleView): Promise<Material> {
  const { filter, order, isDescending, pageNumber, pageSize } = readAsked(view);
  const offset = (pageNumber - 1) * pageSize;
  return {
    quotes: await listEarlierQuotes(snapshot, filter, { order, isDescending, limit: pageSize, offset }),
    quoteCount: await countEarlierQuotes(snapshot, filter),
    order,
  };
}

export const quotesPage = definePage<Material>({
  path: '/console/quotes',
  title: 'Quotes',
  scopes: ['sales', 'finance'],
  rail: { title: 'Quotes', key: 'q' },
  gather,
  show: ({ quotes, quoteCount, order }, { address, now }) => {
    const definition = earlierTable(now);
    const page = choosePage(definition, address.query, quoteCount);
    return {
      body: html`<p class="lead">What usage would cost us and bring us, as it was told to customers. <a class="button" href="${NEW_QUOTE_PATH}">New quote</a></p>
${order === 'amount' ? html`<p class="muted">By amount within each currency.</p>` : ''}
${pagedTable(definition, { ...page, rows: quotes }, address)}`,
    };
  },
  wholeCsv: (view) => {
    const { filter, order, isDescending } = readAsked(view);
    const definition = earlierTable(view.now);
    const quotes: WholeCsv<EarlierQuote> = {
      columns: csvColumns(definition),
      read: (snapshot, after, limit) =>
        listEarlierQuotes(snapshot, filter, {
          order,
          isDescending,
          limit,
          offset: 0,
          afterId: after?.quoteId ?? null,
        }),
      toCells: (quote) => csvCells(definition, quote),
    };
    return { quotes };
  },
});
