import { html } from 'hono/html';
import type { RouteView } from '../../alerts/schemas.ts';
import type { Html } from '../../pages/html.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { nameCell } from '../../pages/texts.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { CHANNEL_WORDS, digestInWords, KIND_WORDS, quietInWords, SEVERITY_WORDS } from './words.ts';

const kindsOf = ({ kinds }: RouteView) =>
  kinds.length === 0
    ? 'all kinds'
    : kinds.map((kind) => KIND_WORDS[kind as keyof typeof KIND_WORDS] ?? kind).join(', ');

/** Addresses; of a webhook the host, and what its secret is called; never the secret. */
const targetOf = ({ emailAddresses, host, secretName }: RouteView) =>
  [...emailAddresses, ...(host === null ? [] : [host]), ...(secretName === null ? [] : [secretName])].join(
    ', ',
  );

/** Where alerts go, what, and when, with what may be done about each. */
export function routesTable(view: ConsoleView): TableDefinition<RouteView> {
  return {
    name: 'routes',
    caption: 'Routes: where alerts go',
    empty: 'There is no route: alerts are listed above, and sent to nobody.',
    columns: [
      {
        name: 'name',
        title: 'Route',
        kind: 'text',
        isRowHeader: true,
        cell: ({ name }) => nameCell(name, 30),
        csv: ({ name }) => name,
        sortBy: ({ name }) => name,
      },
      {
        name: 'target',
        title: 'To',
        kind: 'text',
        cell: (route) =>
          html`<span>${CHANNEL_WORDS[route.channel]}<br><small class="muted">${nameCell(targetOf(route), 60)}</small></span>`,
        csv: targetOf,
      },
      {
        name: 'what',
        title: 'What',
        kind: 'text',
        cell: (route) =>
          html`<span>${kindsOf(route)}${route.leastSeverity === 'info' ? '' : `, ${SEVERITY_WORDS[route.leastSeverity]}${route.leastSeverity === 'urgent' ? '' : ' or more'}`}</span>`,
        csv: kindsOf,
      },
      {
        name: 'customerId',
        title: 'Customer',
        kind: 'text',
        cell: ({ customerId, audience }) =>
          customerId === null
            ? html`<span class="muted">all</span>`
            : html`<span>${nameCell(customerId, 30)}${audience === 'customer' ? html`<br><small class="muted">who reads it</small>` : ''}</span>`,
        csv: ({ customerId }) => customerId,
      },
      {
        name: 'quiet',
        title: 'Quiet',
        kind: 'text',
        cell: (route) => quietInWords(route),
        csv: (route) => quietInWords(route),
      },
      {
        name: 'digest',
        title: 'Digest',
        kind: 'text',
        cell: digestInWords,
        csv: ({ digest }) => digest,
      },
      { name: 'acts', title: 'Acts', kind: 'text', cell: (route) => acts(route, view) },
    ],
  };
}

function acts({ id, name }: RouteView, { formField, address }: ConsoleView): Html {
  const field = html`${formField}<input type="hidden" name="route" value="${id}">`;
  return html`<div class="acts"><form method="post" action="${address.path}/test">${field}<button class="quiet">Send a test<span class="unseen"> to ${name}</span></button></form>
<details><summary>end<span class="unseen">: ${name}</span></summary><form method="post" action="${address.path}/end">${field}
<p>Nothing is sent there any more, and what waits for it is not sent.</p><button class="danger">End ${nameCell(name, 30)}</button></form></details></div>`;
}
