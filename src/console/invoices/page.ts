import { html } from 'hono/html';
import type { InvoiceRow } from '../../closing/invoice-list.ts';
import { addressWith } from '../../pages/address.ts';
import type { Html } from '../../pages/html.ts';
import { ageInWords } from '../../pages/numbers.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { type ConsoleView, definePage, type PageContent } from '../frame/define-page.ts';
import { gatherInvoices, type InvoicesMaterial, MOST_LISTED } from './gather.ts';
import { type Need, needsOf, needsTable } from './needs.ts';
import { doneTable, MONTH_TABLE, progressTable } from './tables.ts';
import { groupOf, isDraft, isInvoiced, minorInMoney } from './words.ts';

function show(material: InvoicesMaterial, view: ConsoleView): PageContent {
  const { open, ofPeriod, proposed, undecided } = material;
  const { now, address, period } = view;
  const needs = needsOf(material, now);
  const progress = open.filter((row) => groupOf(row) === 'in-progress');
  const done = ofPeriod.filter((row) => groupOf(row) === 'done');
  const needed = needsTable(now);
  const going = progressTable(now);
  const ended = doneTable(period.words);
  const isCut = proposed.length === MOST_LISTED || undecided.length === MOST_LISTED;
  return {
    body: html`<p class="lead">${answer(needs, progress.length, now)}</p>
${sums(ofPeriod, period.words)}
<p class="links">${[
      ['/console/invoices/upcoming', 'Upcoming invoices'],
      ['/console/invoices/accruals', 'Earned, not yet invoiced'],
      ['/console/invoices/credits', 'Credits'],
      ['/console/invoices/uninvoiced', 'Usage without an invoice'],
      ['/console/invoices/second-person', 'Second person'],
    ].map(([path = '', title = '']) => (view.hasPage(path) ? html`<a href="${path}">${title}</a> ` : ''))}
<a href="${addressWith(address, { csv: 'month' })}">${period.words} as CSV</a></p>
${isCut ? html`<p class="notice warn">More waits than is listed here: the first ${MOST_LISTED} of each kind are.</p>` : ''}
${dataTable(needed, needs, address)}
${dataTable(going, progress, address)}
${dataTable(ended, done, address)}`,
    csv: {
      needs: () => csvOfTable(needed, needs, address.query),
      progress: () => csvOfTable(going, progress, address.query),
      done: () => csvOfTable(ended, done, address.query),
      month: () => csvOfTable(MONTH_TABLE, ofPeriod, address.query),
    },
  };
}

/** The answer in a sentence: what waits for somebody, and until when. */
function answer(needs: readonly Need[], progressCount: number, now: Date): string {
  const going =
    progressCount === 0
      ? 'No invoice is on its way.'
      : `${progressCount} ${progressCount === 1 ? 'invoice goes' : 'invoices go'} on by themselves.`;
  if (needs.length === 0) return `Nothing needs you. ${going}`;
  const first = needs.find(({ deadline }) => deadline !== null && deadline > now)?.deadline;
  const until =
    first == null
      ? ''
      : `; Stripe finalizes the first held invoice in ${ageInWords(first.getTime() - now.getTime())}`;
  return `${needs.length} ${needs.length === 1 ? 'thing needs' : 'things need'} you${until}. ${going}`;
}

/** The month's sums, each currency by itself. */
function sums(rows: readonly InvoiceRow[], periodInWords: string): Html {
  const byCurrency = [...Map.groupBy(rows, ({ currency }) => currency)].sort(([one], [other]) =>
    one < other ? -1 : 1,
  );
  const sum = (of: readonly InvoiceRow[], pick: (row: InvoiceRow) => bigint) =>
    of.reduce((total, row) => total + pick(row), 0n);
  if (byCurrency.length === 0)
    return html`<p class="muted">No invoice has a period that ended in ${periodInWords}.</p>`;
  return html`<dl class="figures">${byCurrency.map(([currency, of]) => {
    const [invoiced, drafts] = [of.filter(isInvoiced), of.filter(isDraft)];
    const money = (minor: bigint) => minorInMoney(minor, currency);
    const credited = sum(invoiced, (row) => row.creditedMinor);
    const heldCount = drafts.filter(({ closeState }) => closeState === 'held').length;
    const total = (row: InvoiceRow) => row.totalMinor;
    return html`<div><dt>Invoiced, ${periodInWords}, ${currency.toUpperCase()}</dt><dd>${money(sum(invoiced, total))}<small>${count(invoiced.length)}${credited === 0n ? '' : `; ${money(credited)} credited`}</small></dd></div>
  ${drafts.length === 0 ? '' : html`<div><dt>Not final yet, ${currency.toUpperCase()}</dt><dd>${money(sum(drafts, total))}<small>${count(drafts.length)}${heldCount === 0 ? '' : `, ${heldCount} held`}</small></dd></div>`}`;
  })}</dl>`;
}

const count = (invoices: number) => `${invoices} ${invoices === 1 ? 'invoice' : 'invoices'}`;

export const invoicesPage = definePage<InvoicesMaterial>({
  path: '/console/invoices',
  title: 'Invoices',
  scopes: ['finance'],
  rail: { title: 'Invoices', key: 'i' },
  choices: ['period', 'currency'],
  unaskedPeriod: 'last-month',
  gather: gatherInvoices,
  show,
});
