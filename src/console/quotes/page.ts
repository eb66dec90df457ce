import { html } from 'hono/html';
import { textOf } from '../../pages/address.ts';
import { choosePage, csvOfTable, readTableQuery } from '../../pages/table/page-of-rows.ts';
import { pagedTable } from '../../pages/table/table.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import {
  countEarlierQuotes,
  type EarlierFilter,
  type EarlierOrder,
  type EarlierQuote,
  listEarlierQuotes,
} from '../../quotes/earlier.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';
import { earlierTable, QUOTE_STATES } from './earlier-table.ts';
import { NEW_QUOTE_PATH } from './form/draw.ts';

interface Material {
  quotes: EarlierQuote[];
  quoteCount: number;
}

/** A CSV has at most so many; narrower filters tell the rest. */
const CSV_ROWS = 100_000;

async function gather(snapshot: LedgerSnapshot, { address: { query }, now }: ConsoleView): Promise<Material> {
  const filter: EarlierFilter = {
    text: textOf(query, 'text'),
    createdBy: textOf(query, 'by'),
    state: QUOTE_STATES.find((state) => state === query.get('state')),
    now,
  };
  const { pageNumber, pageSize, sort } = readTableQuery(earlierTable(now), query);
  const isCsv = query.has('csv');
  return {
    quotes: await listEarlierQuotes(snapshot, filter, {
      order: (sort?.column ?? 'created') as EarlierOrder,
      isDescending: sort?.isDescending ?? true,
      limit: isCsv ? CSV_ROWS : pageSize,
      offset: isCsv ? 0 : (pageNumber - 1) * pageSize,
    }),
    quoteCount: await countEarlierQuotes(snapshot, filter),
  };
}

export const quotesPage = definePage<Material>({
  path: '/console/quotes',
  title: 'Quotes',
  scopes: ['sales', 'finance'],
  rail: { title: 'Quotes', key: 'q' },
  gather,
  show: ({ quotes, quoteCount }, { address, now }) => {
    const definition = earlierTable(now);
    const page = choosePage(definition, address.query, quoteCount);
    return {
      body: html`<p class="lead">What usage would cost us and bring us, as it was told to customers. <a class="button" href="${NEW_QUOTE_PATH}">New quote</a></p>
${pagedTable(definition, { ...page, rows: quotes }, address)}`,
      csv: { quotes: () => csvOfTable(definition, quotes, address.query) },
    };
  },
});
