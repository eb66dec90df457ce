import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { pagedTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';
import { marginShare, percent, signedPercent } from '../rollups/columns.ts';
import { judgedMargin, shareOf } from '../rollups/decide.ts';
import { calledIn, costChart, headline, lacking } from '../rollups/draw.ts';
import { type CustomersMaterial, customersCsv, gatherCustomers, tableOf } from './gather.ts';
import { CUSTOMERS_NAME } from './table.ts';

function show({ basis, series, names, page }: CustomersMaterial, view: ConsoleView) {
  const { window } = view.period;
  return {
    body: html`<p class="lead">${answer({ basis, page }, view)}</p>
${headline(basis)}
${lacking(basis)}
${costChart(series, { window, now: view.now, title: 'Cost by day', nameOf: calledIn(names) })}
${pagedTable(tableOf(view, basis.totals), page, view.address)}`,
  };
}

/** Who costs more than they bring, first of all. */
function answer({ basis, page }: Pick<CustomersMaterial, 'basis' | 'page'>, { period }: ConsoleView): Html {
  const [worst, ...losing] = page.rows
    .flatMap((row) => {
      const margin = row.customerId === '' ? null : judgedMargin(row);
      return margin !== null && margin < 0n ? [{ ...row, margin }] : [];
    })
    .toSorted((one, other) => (one.margin < other.margin ? -1 : 1));
  if (page.rowCount === 0) return html`Nobody used anything in ${period.words}.`;
  if (worst === undefined) return html`Nobody listed here is known to cost more than they bring.`;
  const [tokens, revenue] = [
    shareOf(worst.tokenCount, basis.totals.tokenCount),
    shareOf(worst.revenuePicoUsd, basis.totals.revenuePicoUsd),
  ];
  const shares =
    tokens === null || revenue === null
      ? ''
      : `, with ${percent(tokens)} of the tokens and ${percent(revenue)} of the revenue`;
  const more = losing.length > 0 ? `; so do ${losing.length} more` : '';
  const margin = marginShare(worst);
  return html`${nameCell(worst.name)} costs more than it brings${margin === null ? '' : ` (margin ${signedPercent(margin)})`}${shares}${more}.`;
}

export const customersPage = definePage<CustomersMaterial>({
  path: '/console/customers',
  title: 'What customers cost and bring',
  scopes: ['sales', 'finance'],
  rail: { title: 'Customers', key: 'c' },
  choices: ['period'],
  gather: gatherCustomers,
  show,
  wholeCsv: (view) => ({ [CUSTOMERS_NAME]: customersCsv(view) }),
});
