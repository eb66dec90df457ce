import { html } from 'hono/html';
import type { AccrualTotals } from '../../../../pricing/accruals/row.ts';
import { ACCRUAL_COLUMNS, type AccrualRowBody } from '../../../accruals/schemas.ts';
import { accrualCells } from '../../../accruals/show.ts';
import { readShownRows } from '../../../accruals/shown-rows.ts';
import { addressWith } from '../../../pages/address.ts';
import type { Html } from '../../../pages/html.ts';
import { instantCell, unknownCell } from '../../../pages/numbers.ts';
import { dataTable, pagedTable } from '../../../pages/table/table.ts';
import { nameCell } from '../../../pages/texts.ts';
import { groupDigits } from '../../../pages/words.ts';
import { type ConsoleView, definePage, type PageContent, type WholeCsv } from '../../frame/define-page.ts';
import { minorInMoney, tokensInWords } from '../words.ts';
import { type AccrualsMaterial, askedCustomer, gatherAccrualsPage, readAskedWindow } from './gather.ts';
import { ROWS_TABLE, sumsTable } from './tables.ts';

function show(material: AccrualsMaterial, view: ConsoleView): PageContent {
  const { window, openHourCount, page, found, customerId } = material;
  const { address } = view;
  const at = address.query.get('at') ?? '';
  const name = page.rows[0]?.customerName ?? customerId;
  const whose = customerId === null ? '' : customerId === '' ? ' of nobody' : ` of ${name}`;
  const open =
    openHourCount === 0n
      ? ''
      : html`<p class="notice warn">${groupDigits(String(openHourCount))} ${openHourCount === 1n ? 'hour' : 'hours'} before then ${openHourCount === 1n ? 'is' : 'are'} not settled yet: what was used in them has no amount.</p>`;
  const rows = found.flatMap((customer) => customer.rows);
  return {
    title: `Earned and not yet invoiced${whose}`,
    body: html`<p class="lead">What was used before ${instantCell(window.end)}, and is on no invoice that was final then. Earned counts from ${instantCell(window.start)} on.</p>
<form class="filters" method="get" action="${address.path}">${customerId === null ? '' : html`<input type="hidden" name="customer" value="${customerId}">`}<label><span>As of the beginning of (UTC)</span><input type="date" name="at" value="${/^\d{4}-\d\d-\d\d$/.test(at) ? at : ''}"></label><button>Show</button></form>
${open}
<p class="muted">${view.hasPage('/console/invoices/upcoming') ? html`<a href="/console/invoices/upcoming">Upcoming invoices</a>` : 'Upcoming invoices'} are as of now instead: they have what is not settled yet and what a tier or a minimum adds, and not what is on drafts of periods that were over.</p>
${sums(material)}
<p class="links">${customerId === null ? '' : html`<a href="${addressWith(address, { customer: null })}">All customers</a> `}<a href="${addressWith(address, { csv: 'accruals' })}">Every row${customerId === null ? ' of all customers' : ''} as CSV</a></p>
${pagedTable(sumsTable(view), page, address)}
${customerId === null ? '' : dataTable(ROWS_TABLE, rows, address)}
<p class="links"><a href="/console/invoices">To the invoices</a></p>`,
  };
}

/** Each currency by itself, of the customers that are shown. */
function sums({ page: { rows, rowCount, pageCount }, found }: AccrualsMaterial): Html {
  const byCurrency = [...Map.groupBy(rows, ({ totals }) => totals.currency)].sort(([one], [other]) =>
    (one ?? '~') < (other ?? '~') ? -1 : 1,
  );
  const of = pageCount === 1 ? '' : `, ${found.length} of ${rowCount} customers`;
  return html`<dl class="figures">${byCurrency.map(([currency, its]) => {
    const sum = (read: (totals: AccrualTotals) => bigint) =>
      its.reduce((total, { totals }) => total + read(totals), 0n);
    if (currency === null) {
      const tokens = tokensInWords(sum(({ earnedTokenCount }) => earnedTokenCount));
      const quarantined = sum(({ quarantinedTokenCount }) => quarantinedTokenCount);
      return html`<div><dt>In no known currency</dt><dd>${tokens}<small>nothing tells what they come to${quarantined === 0n ? '' : `; ${groupDigits(String(quarantined))} in quarantine`}</small></dd></div>`;
    }
    const known = (read: (totals: AccrualTotals) => bigint | null) => {
      const amounts = its.flatMap(({ totals }) => read(totals) ?? []);
      return amounts.length === 0 ? null : amounts.reduce((total, amount) => total + amount, 0n);
    };
    const money = (read: (totals: AccrualTotals) => bigint | null) => {
      const amount = known(read);
      return amount === null ? unknownCell() : minorInMoney(amount, currency);
    };
    const undecided = sum(({ undecidedTokenCount }) => undecidedTokenCount);
    return html`<div><dt>Not yet invoiced, ${nameCell(currency.toUpperCase(), 3)}${of}</dt><dd>${money(({ accruedAmountMinor }) => accruedAmountMinor)}<small>${money(({ earnedAmountMinor }) => earnedAmountMinor)} earned${undecided === 0n ? '' : html`; ${money(({ undecidedAmountMinor }) => undecidedAmountMinor)} on no invoice by itself`}</small></dd></div>`;
  })}</dl>`;
}

export const accrualsPage = definePage<AccrualsMaterial>({
  path: '/console/invoices/accruals',
  title: 'Earned and not yet invoiced',
  scopes: ['finance'],
  gather: gatherAccrualsPage,
  show,
  // The rows of the API, of all customers, whatever page is shown.
  wholeCsv: (view) => {
    const customerId = askedCustomer(view);
    const accruals: WholeCsv<AccrualRowBody> = {
      columns: ACCRUAL_COLUMNS,
      read: async (snapshot, after, limit) => {
        const query = { window: await readAskedWindow(snapshot, view), customerId, after: null };
        return await readShownRows(snapshot, query, after, limit);
      },
      toCells: accrualCells,
    };
    return { accruals, rows: accruals };
  },
});
