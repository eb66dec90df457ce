import { html } from 'hono/html';
import type { KnownLink } from '../../identity/links/links.ts';
import { LINK_KINDS, type LinkKind } from '../../identity/links/signature.ts';
import { LINK_STATES, stateOf } from '../../links/list.ts';
import type { Html } from '../../pages/html.ts';
import { instantCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { instantColumn } from '../../pages/table/made-columns.ts';
import { actorInWords, idCell, nameCell } from '../../pages/texts.ts';
import type { ConsoleView } from '../frame/define-page.ts';

const KIND_WORDS: Record<LinkKind, string> = {
  quote: 'Quote',
  statement: 'Statement',
  'statement-preview': 'Statement so far',
  portal: 'Portal',
  'portal-user': 'Portal of one user',
};

/** What people call that of which only an id is at hand. */
export interface LinkNames {
  customers: ReadonlyMap<string, string>;
  /** Of invoices, as far as they have numbers. */
  invoices: ReadonlyMap<string, string>;
  /** Of quotes: for whom they are, or what they are called. */
  quotes: ReadonlyMap<string, string>;
}

/** Links, for people and for CSV. */
export function linksTable(view: ConsoleView, names: LinkNames): TableDefinition<KnownLink> {
  return {
    name: 'links',
    caption: 'Links, the newest first',
    empty: 'No such link was made.',
    filters: [
      {
        name: 'kind',
        title: 'Opens',
        options: LINK_KINDS.map((kind) => ({ value: kind, title: KIND_WORDS[kind].toLowerCase() })),
      },
      {
        name: 'state',
        title: 'State',
        options: LINK_STATES.map((state) => ({ value: state, title: state })),
      },
      { name: 'customer', title: 'Customer (id)' },
    ],
    columns: [
      {
        name: 'opens',
        title: 'Opens',
        kind: 'text',
        isRowHeader: true,
        cell: (link) => html`<span>${KIND_WORDS[link.kind]} ${openedThing(link, names, view)}</span>`,
        csv: ({ kind }) => kind,
      },
      {
        name: 'customer',
        title: 'Customer',
        kind: 'text',
        cell: ({ customerId }) =>
          customerId === null
            ? html`<span class="muted">nobody in particular</span>`
            : customerLink(customerId, names.customers.get(customerId) ?? customerId, view),
        csv: ({ customerId }) => customerId,
      },
      {
        name: 'state',
        title: 'State',
        kind: 'text',
        cell: (link) => stateCell(link, view),
        csv: (link) => stateOf(link, view.now),
      },
      instantColumn('until', 'Until', ({ expiresAt }) => expiresAt),
      {
        ...instantColumn<KnownLink>('seen', 'Last seen', ({ lastSeenAt }) => lastSeenAt),
        cell: ({ lastSeenAt }) =>
          lastSeenAt === null ? html`<span class="muted">not yet</span>` : instantCell(lastSeenAt),
      },
      {
        name: 'by',
        title: 'Made by',
        kind: 'text',
        cell: ({ madeBy, madeAt }) =>
          html`<span>${nameCell(actorInWords(madeBy), 30)}<br>${instantCell(madeAt)}</span>`,
        csv: ({ madeBy }) => madeBy,
      },
      {
        name: 'link',
        title: 'Id',
        kind: 'text',
        cell: ({ linkId }) => idCell(linkId),
        csv: ({ linkId }) => linkId,
      },
    ],
  };
}

function openedThing(
  { kind, targetId, userId }: KnownLink,
  { invoices, quotes }: LinkNames,
  view: ConsoleView,
): Html | string {
  if (userId !== null) return nameCell(userId, 20);
  const id = encodeURIComponent(targetId);
  if (kind === 'quote' && view.hasPage('/console/quotes/:quoteId')) {
    return html`<a href="/console/quotes/${id}">${nameCell(quotes.get(targetId) ?? targetId, 30)}</a>`;
  }
  if (kind === 'statement' && view.hasPage('/console/invoices/:invoiceId')) {
    return html`<a href="/console/invoices/${id}">${nameCell(invoices.get(targetId) ?? targetId, 16)}</a>`;
  }
  return '';
}

function customerLink(customerId: string, name: string, view: ConsoleView): Html {
  if (!view.hasPage('/console/customers/:customerId')) return nameCell(name, 40);
  return html`<a href="/console/customers/${encodeURIComponent(customerId)}">${nameCell(name, 40)}</a>`;
}

function stateCell(link: KnownLink, { now, formField, address }: ConsoleView): Html {
  const state = stateOf(link, now);
  if (state === 'expired') return html`<span class="muted">expired</span>`;
  if (state === 'withdrawn') {
    return html`<span class="muted">withdrawn ${instantCell(link.withdrawnAt)} by ${nameCell(actorInWords(link.withdrawnBy ?? ''), 40)}</span>`;
  }
  const sessions = link.kind.startsWith('portal')
    ? ' Whoever opened the portal with it sees nothing more of it.'
    : '';
  return html`<details><summary>living<span class="unseen">: withdraw ${KIND_WORDS[link.kind]} ${link.linkId}</span></summary><form method="post" action="${address.path}/withdraw">${formField}<input type="hidden" name="link" value="${link.linkId}">
<p>It opens nothing from then on.${sessions} It cannot be undone; a new link can be made.</p><button class="danger">Withdraw it</button></form></details>`;
}
