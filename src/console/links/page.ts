import { html } from 'hono/html';
import { readInvoiceNumbers } from '../../billing/invoice-lines.ts';
import { readCustomerNames } from '../../catalog/customers.ts';
import { readLinkKeys } from '../../identity/links/keys.ts';
import type { KnownLink } from '../../identity/links/links.ts';
import { LINK_KINDS } from '../../identity/links/signature.ts';
import { countPortalSessions } from '../../identity/portal-sessions.ts';
import { type KeyStanding, readKeyStanding } from '../../links/key-standing.ts';
import { countLinks, LINK_STATES, type LinkFilter, listLinks } from '../../links/list.ts';
import { textOf } from '../../pages/address.ts';
import type { Html } from '../../pages/html.ts';
import { instantCell } from '../../pages/numbers.ts';
import type { TablePage } from '../../pages/table/columns.ts';
import { choosePage, csvCells, csvColumns } from '../../pages/table/page-of-rows.ts';
import { pagedTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { readQuoteNames } from '../../quotes/earlier.ts';
import { type ConsoleView, definePage, type WholeCsv } from '../frame/define-page.ts';
import { countOf, LINK_ACTS } from './acts.ts';
import { type LinkNames, linksTable } from './table.ts';

/** The customer that the list is narrowed to, and what withdrawing all would end. */
interface Chosen {
  customerId: string;
  name: string;
  linkCount: number;
  sessionCount: number;
}

interface Material {
  page: TablePage<KnownLink>;
  names: LinkNames;
  standing: KeyStanding;
  chosen: Chosen | null;
}

const NO_NAMES: LinkNames = { customers: new Map(), invoices: new Map(), quotes: new Map() };

/** Which links the address asks for. */
function readFilter({ address: { query }, now }: ConsoleView): LinkFilter {
  return {
    kind: LINK_KINDS.find((kind) => kind === textOf(query, 'kind')),
    state: LINK_STATES.find((state) => state === textOf(query, 'state')),
    customerId: textOf(query, 'customer'),
    now,
  };
}

async function gather(snapshot: LedgerSnapshot, view: ConsoleView): Promise<Material> {
  const filter = readFilter(view);
  const linkCount = await countLinks(snapshot, filter);
  const { offset, pageSize, ...page } = choosePage(linksTable(view, NO_NAMES), view.address.query, linkCount);
  const rows = await listLinks(snapshot, filter, { limit: pageSize, offset });
  const customerIds = rows.flatMap(({ customerId }) => (customerId === null ? [] : [customerId]));
  const asked = filter.customerId === undefined ? [] : [filter.customerId];
  const customers = await readCustomerNames(snapshot, [...new Set([...customerIds, ...asked])]);
  const stated = rows.flatMap(({ kind, targetId }) => (kind === 'statement' ? [targetId] : []));
  const quoted = rows.flatMap(({ kind, targetId }) => (kind === 'quote' ? [targetId] : []));
  return {
    page: { ...page, rows },
    names: {
      customers,
      invoices: await readInvoiceNumbers(snapshot, stated),
      quotes: await readQuoteNames(snapshot, quoted),
    },
    // Made already by `prepare`, which may write.
    standing: await readKeyStanding(snapshot, await readLinkKeys(view.dependencies), view.now),
    chosen: await readChosen(snapshot, filter, customers),
  };
}

async function readChosen(
  snapshot: LedgerSnapshot,
  { customerId, now }: LinkFilter,
  names: ReadonlyMap<string, string>,
): Promise<Chosen | null> {
  const name = customerId === undefined ? undefined : names.get(customerId);
  if (customerId === undefined || name === undefined) return null;
  const linkCount = await countLinks(snapshot, { customerId, state: 'living', now });
  return { customerId, name, linkCount, sessionCount: await countPortalSessions(snapshot, customerId) };
}

function standingPart({ signing, previous, gone }: KeyStanding): Html {
  const living = signing.linkCount + previous.linkCount;
  return html`<p class="lead">${living === 0 ? 'No link opens anything now.' : html`${countOf(living, 'link')} ${living === 1 ? 'opens' : 'open'} something to whoever has ${living === 1 ? 'it' : 'them'}.`}${
    previous.lastExpiresAt === null
      ? ''
      : html` ${countOf(previous.linkCount, 'link')} of them ${previous.linkCount === 1 ? 'hangs' : 'hang'} on the previous key, the last until ${instantCell(previous.lastExpiresAt)}.`
  }</p>
${
  gone.lastExpiresAt === null
    ? ''
    : html`<p class="notice">${countOf(gone.linkCount, 'link')} below ${gone.linkCount === 1 ? 'was' : 'were'} signed by a key that is not configured any more, and ${gone.linkCount === 1 ? 'opens' : 'open'} nothing.</p>`
}`;
}

function withdrawAllPart({ customerId, name, linkCount, sessionCount }: Chosen, view: ConsoleView): Html {
  return html`<details class="panel"><summary>Withdraw all of ${nameCell(name, 40)}</summary>
<form method="post" action="${view.address.path}/withdraw-all">${view.formField}<input type="hidden" name="customer" value="${customerId}">
<p>${countOf(linkCount, 'living link')} and ${countOf(sessionCount, 'session')} of the portal end at once, and links of before they were listed. It cannot be undone.</p>
<button class="danger">Withdraw all of ${nameCell(name, 30)}</button></form></details>`;
}

function portalForm({ address, formField, typed }: ConsoleView): Html {
  const said = (field: string) => typed?.get(field) ?? '';
  return html`<details class="panel"${typed?.has('customerId') ? html` open` : ''}><summary>Make a link to the portal</summary>
<form class="fields" method="post" action="${address.path}/portal">${formField}
<label><span>Customer</span><input name="customerId" value="${said('customerId')}" required maxlength="512"><small>Its id.</small></label>
<label><span>User</span><input name="userId" value="${said('userId')}" maxlength="512"><small>Left empty: the whole customer. Else this one user, who sees what is theirs alone.</small></label>
<label><span>Days</span><input name="validDays" value="${said('validDays')}" inputmode="numeric" placeholder="120" maxlength="3"></label>
<div><button>Make the link</button></div></form></details>`;
}

export const linksPage = definePage<Material>({
  path: '/console/links',
  title: 'Links that were sent',
  scopes: ['finance'],
  rail: { title: 'Links', key: 'l' },
  // The key of links is made at its first use, which writes.
  prepare: async ({ dependencies }) => void (await readLinkKeys(dependencies)),
  gather,
  show: ({ page, names, standing, chosen }, view) => ({
    body: html`${standingPart(standing)}
${pagedTable(linksTable(view, names), page, view.address)}
${chosen === null ? '' : withdrawAllPart(chosen, view)}
${portalForm(view)}`,
  }),
  wholeCsv: (view) => {
    const filter = readFilter(view);
    const definition = linksTable(view, NO_NAMES);
    const links: WholeCsv<KnownLink> = {
      columns: csvColumns(definition),
      read: (snapshot, after, limit) => listLinks(snapshot, filter, { after, limit }),
      toCells: (link) => csvCells(definition, link),
    };
    return { links };
  },
  acts: LINK_ACTS,
});
