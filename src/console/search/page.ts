import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { nameCell } from '../../pages/texts.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';
import { FOUND_KINDS, type Found, findEverywhere } from './find.ts';

const TITLES: Record<Found['kind'], string> = {
  customer: 'Customers',
  feature: 'Features',
  invoice: 'Invoices',
  quote: 'Quotes',
};

/** The pages of what can be found; a kind whose page there is not yet is shown without a link. */
const PAGES: Record<Found['kind'], string> = {
  customer: '/console/customers/:customerId',
  feature: '/console/features/:feature',
  invoice: '/console/invoices/:invoiceId',
  quote: '/console/quotes/:quoteId',
};

const textOf = ({ address }: ConsoleView) => (address.query.get('q') ?? '').trim().slice(0, 200);

export const searchPage = definePage<Found[]>({
  path: '/console/search',
  title: 'Search',
  scopes: ['sales', 'finance'],
  gather: async (snapshot, view) => {
    const text = textOf(view);
    const found = text === '' ? [] : await findEverywhere(snapshot, text);
    // Whose invoices there are is for whoever may see one.
    return found.filter(({ kind }) => kind !== 'invoice' || view.hasPage(PAGES.invoice));
  },
  show: (found, view) => {
    const text = textOf(view);
    return {
      title: text === '' ? 'Search' : `Search: ${text}`,
      body: html`<form class="filters" method="get" action="/console/search"><label><span>Customer, feature, invoice or quote</span><input type="search" name="q" value="${text}" maxlength="200"></label><button>Search</button></form>
${text !== '' && found.length === 0 ? html`<p class="empty">Nothing has “${text}” in its name or id.</p>` : ''}
${FOUND_KINDS.map((kind) => group(kind, found, view))}`,
    };
  },
});

function group(kind: Found['kind'], found: readonly Found[], view: ConsoleView): Html | string {
  const ofKind = found.filter((each) => each.kind === kind);
  if (ofKind.length === 0) return '';
  return html`<section><h2>${TITLES[kind]}</h2><ul class="todo">${ofKind.map((each) => html`<li><span>${nameOf(each, view)}</span><span class="muted">${each.note === null ? '' : nameCell(each.note, 60)}</span></li>`)}</ul></section>`;
}

function nameOf({ kind, id, name }: Found, view: ConsoleView): Html | string {
  const page = PAGES[kind];
  const text = nameCell(name, 60);
  if (!view.hasPage(page)) return text;
  return html`<a href="${page.replace(/:\w+$/, encodeURIComponent(id))}">${text}</a>`;
}
