import { html } from 'hono/html';
import { getCustomer } from '../../../catalog/customers.ts';
import type { Html } from '../../../pages/html.ts';
import { countCell, instantCell, shareCell } from '../../../pages/numbers.ts';
import { csvOfTable } from '../../../pages/table/page-of-rows.ts';
import { dataTable } from '../../../pages/table/table.ts';
import { nameCell, shortened } from '../../../pages/texts.ts';
import { makeStatementLink } from '../../../statements/links.ts';
import { ANOMALIES_PATH } from '../../anomalies/address.ts';
import { exportedFindings, findingsTable } from '../../anomalies/table.ts';
import { budgetsTable } from '../../budgets/table.ts';
import { type ConsoleView, definePage, type PageContent } from '../../frame/define-page.ts';
import { marginShare, percent, signedPercent } from '../../rollups/columns.ts';
import { judgedMargin, shareOf, shownCost, shownRevenue } from '../../rollups/decide.ts';
import { balanceChart, dollars, headline, lacking } from '../../rollups/draw.ts';
import { type CustomerMaterial, gatherCustomer, MOST_LISTED, prepareCustomer } from './gather.ts';
import { drawNextInvoices, LINES_TABLE, linesOf, nextInvoiceCard } from './next-invoice.ts';
import { ACCRUALS_TABLE, accruedFigures, customerActs, customerQuotes, invoicesTable } from './tables.ts';
import { drawUsage, usageCsv } from './usage.ts';

function show(material: CustomerMaterial, view: ConsoleView): PageContent {
  const {
    customer,
    basis,
    drawn,
    days,
    usage,
    previews,
    findings,
    budgets,
    quotes,
    invoices,
    accrued,
    acts,
  } = material;
  const { address, now } = view;
  const invoiced = invoicesTable(view);
  const stood = findingsTable({ name: 'anomalies', caption: 'Usage that stood out', empty: '' }, now);
  const limited = budgetsTable('Budgets', '');
  const quoted = customerQuotes(now);
  const acted = customerActs();
  return {
    title: shortened(customer.name),
    body: html`<p class="lead">${answer(material, view)}</p>
${identity(material)}
${headline(basis, html`${sharesCard(material)}${nextInvoiceCard(previews)}`)}
${lacking(basis)}
${balanceChart(days, drawn)}
${findings.length === 0 ? '' : html`${dataTable(stood, findings, address)}${cut(findings.length, ANOMALIES_PATH, view)}`}
${budgets.length === 0 ? '' : dataTable(limited, budgets, address)}
${drawUsage(usage, view)}
${drawNextInvoices(previews, view)}
${mayMakeLinks(view) ? statementForm(view) : ''}
${view.hasPage('/console/links') ? html`<p class="links"><a href="/console/links?${new URLSearchParams({ customer: customer.customerId })}">Its signed links</a></p>` : ''}
${invoices === null ? '' : dataTable(invoiced, invoices, address)}
${accrued === null ? '' : html`<h2 id="accrued">Used, and not yet invoiced</h2>${accruedFigures(accrued)}${dataTable(ACCRUALS_TABLE, accrued.rows, address)}`}
${dataTable(quoted, quotes, address)}
${cut(quotes.length, '/console/quotes', view)}
${acts === null ? '' : html`${dataTable(acted, acts, address)}${cut(acts.length, '/console/audit', view)}`}`,
    csv: {
      lines: () => csvOfTable(LINES_TABLE, linesOf(previews), address.query),
      anomalies: () => csvOfTable(exportedFindings(stood), findings, address.query),
      budgets: () => csvOfTable(limited, budgets, address.query),
      quotes: () => csvOfTable(quoted, quotes, address.query),
      ...(invoices === null ? {} : { invoices: () => csvOfTable(invoiced, invoices, address.query) }),
      ...(accrued === null
        ? {}
        : { accruals: () => csvOfTable(ACCRUALS_TABLE, accrued.rows, address.query) }),
      ...(acts === null ? {} : { acts: () => csvOfTable(acted, acts, address.query) }),
    },
  };
}

/** How the customer does, in a sentence; what costs more than it brings stands out. */
function answer({ basis: { totals } }: CustomerMaterial, { period }: ConsoleView): Html {
  if (totals.tokenCount === 0n) return html`Nothing was used in ${period.words}.`;
  const margin = judgedMargin(totals);
  const share = marginShare(totals);
  if (margin === null) {
    return html`What it leaves in ${period.words} is not known: too much of its cost or its revenue is unknown.`;
  }
  const ofRevenue = share === null ? '' : `, ${signedPercent(share)} of its revenue`;
  if (margin >= 0n) return html`It leaves ${dollars(margin)} in ${period.words}${ofRevenue}.`;
  return html`<strong class="bad">It costs more than it brings</strong>: ${dollars(-margin)} more in ${period.words}${share === null ? '' : ` (margin ${signedPercent(share)})`}.`;
}

/** Who it is, and by what it pays. */
function identity({ customer, plans: { plans, ownPriceCount }, basis }: CustomerMaterial): Html {
  const items = [
    ...plans.map(
      ({ planId, name, versionId, currency }) =>
        html`${nameCell(name ?? planId, 40)}${versionId === null ? '' : html` <small class="muted">${versionId}</small>`}, ${currency.toUpperCase()}`,
    ),
    ...(ownPriceCount === 0
      ? []
      : [html`${ownPriceCount} ${ownPriceCount === 1 ? 'price' : 'prices'} outside any plan`]),
  ];
  const { customerId, name, stripeCustomerId, currency, subjectCount, deletedAt } = customer;
  return html`<dl class="facts">
  ${deletedAt === null ? '' : html`<dt>Deleted</dt><dd class="bad">${instantCell(deletedAt)}</dd>`}
  <dt>Plan</dt><dd>${items.length === 0 ? html`<span class="unknown">none: nothing of this is billed</span>` : items.map((item, index) => html`${index === 0 ? '' : html`<br>`}${item}`)}</dd>
  <dt>Currency</dt><dd>${currency?.toUpperCase() ?? html`<span class="unknown">not known</span>`}</dd>
  <dt>Users</dt><dd>${countCell(basis.totals.activeUserCount)} active of ${countCell(subjectCount)}</dd>
  <dt>Customer</dt><dd>${name === shortened(name) ? '' : html`${nameCell(name, 1_000)}, `}${nameCell(customerId)}${stripeCustomerId === null ? '' : html` <small class="muted">${nameCell(stripeCustomerId)}</small>`}</dd>
</dl>`;
}

function sharesCard({ basis: { totals }, whole }: CustomerMaterial): Html {
  const tokens = shareOf(totals.tokenCount, whole.tokenCount);
  const revenue = shareOf(shownRevenue(totals), whole.revenuePicoUsd);
  const cost = shareOf(shownCost(totals), shownCost(whole));
  return html`<div><dt>Share of all tokens</dt><dd>${shareCell(tokens)}<small>${revenue === null ? 'unknown share' : percent(revenue)} of the revenue, ${cost === null ? 'unknown share' : percent(cost)} of the cost</small></dd></div>`;
}

const mayMakeLinks = (view: ConsoleView) => view.hasPage('/console/invoices/:invoiceId');

function statementForm({ address, formField }: ConsoleView): Html {
  return html`<div class="acts links"><form method="post" action="${address.path}/statement">${formField}<button class="quiet">Link to its statement so far</button></form></div>`;
}

/** That there is more than is listed. */
function cut(listedCount: number, path: string, view: ConsoleView): Html | string {
  if (listedCount < MOST_LISTED || !view.hasPage(path)) return '';
  return html`<p class="muted">The newest ${MOST_LISTED}; <a href="${path}">all of them</a>.</p>`;
}

export const customerPage = definePage<CustomerMaterial>({
  path: '/console/customers/:customerId',
  title: 'Customer',
  scopes: ['sales', 'finance'],
  choices: ['period'],
  prepare: prepareCustomer,
  gather: gatherCustomer,
  show,
  wholeCsv: usageCsv,
  acts: {
    statement: {
      scopes: ['finance'],
      makes: true,
      run: async (_form, { caller, dependencies, params, origin }) => {
        const { customerId, name } = await getCustomer(dependencies.database, params.customerId ?? '');
        const { url, expiresAt } = await makeStatementLink(
          dependencies,
          { customerId },
          { origin, actor: caller.actor },
        );
        const body = html`<p class="lead">Whoever has this link reads the statement so far, until ${instantCell(expiresAt)}.</p>
<p class="panel"><a href="${url}">Open the statement so far</a></p>
<p><a href="/console/customers/${encodeURIComponent(customerId)}">Back to the customer</a></p>`;
        return { shown: { title: `Statement so far of ${shortened(name)}`, body } };
      },
    },
  },
});
