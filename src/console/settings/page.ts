import { html } from 'hono/html';
import { API_SCOPES, type ApiKey, listApiKeys } from '../../identity/api-keys.ts';
import { countOpenSessions } from '../../identity/sessions/open-sessions.ts';
import type { Html } from '../../pages/html.ts';
import { instantCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { instantColumn } from '../../pages/table/made-columns.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { describeConfig, loadConfig } from '../../platform/config.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';
import { OWN_KEY_PATH } from '../frame/document.ts';
import { SETTINGS_ACTS } from './acts.ts';

interface Material {
  keys: ApiKey[];
  sessionCounts: ReadonlyMap<string, number>;
}

/** What each scope may do, as people say it. */
const SCOPE_WORDS: Record<(typeof API_SCOPES)[number], string> = {
  sales: 'makes quotes and simulations, and reads prices and plans',
  finance: 'reads usage, costs, invoices and the pipeline',
  portal: 'begins and ends sessions of the portal for a frame, and nothing else; signs nobody in here',
  gateway: 'reads whom gateways slow down, move or stop, and nothing else; signs nobody in here',
  admin: 'everything, also what changes money, prices, plans and keys',
};

function keyTable({ sessionCounts }: Material, view: ConsoleView): TableDefinition<ApiKey> {
  return {
    name: 'keys',
    caption: 'Keys',
    empty: 'There is no key.',
    filters: [
      {
        name: 'state',
        title: 'State',
        options: [
          { value: 'live', title: 'live' },
          { value: 'revoked', title: 'revoked' },
        ],
        matches: ({ revokedAt }, value) => (revokedAt === null) === (value === 'live'),
      },
    ],
    columns: [
      {
        name: 'name',
        title: 'Name',
        kind: 'text',
        isRowHeader: true,
        cell: ({ name }) => nameCell(name),
        csv: ({ name }) => name,
        sortBy: ({ name }) => name,
      },
      {
        name: 'scopes',
        title: 'May',
        kind: 'text',
        cell: ({ scopes }) => scopes.join(', '),
        csv: ({ scopes }) => scopes.join(' '),
        sortBy: ({ scopes }) => scopes.join(),
      },
      instantColumn('created', 'Made', ({ createdAt }) => createdAt),
      instantColumn('exchanged', 'Exchanged', ({ takenOverAt }) => takenOverAt),
      instantColumn('used', 'Last used', ({ lastUsedAt }) => lastUsedAt),
      {
        name: 'sessions',
        title: 'Signed in',
        kind: 'number',
        cell: ({ apiKeyId }) => String(sessionCounts.get(apiKeyId) ?? 0),
        csv: ({ apiKeyId }) => String(sessionCounts.get(apiKeyId) ?? 0),
        sortBy: ({ apiKeyId }) => sessionCounts.get(apiKeyId) ?? 0,
      },
      {
        name: 'state',
        title: 'State',
        kind: 'text',
        cell: (key) =>
          key.revokedAt === null
            ? revokeForm(key, view)
            : html`<span class="muted">revoked ${instantCell(key.revokedAt)}</span>`,
        csv: ({ revokedAt }) => revokedAt?.toISOString() ?? null,
      },
    ],
  };
}

function revokeForm({ apiKeyId, name }: ApiKey, { formField, address }: ConsoleView): Html {
  return html`<details><summary>live<span class="unseen">: revoke ${name}</span></summary><form method="post" action="${address.path}/revoke">${formField}<input type="hidden" name="key" value="${apiKeyId}">
<p>Whoever calls with it is refused from now on, and whoever is signed in with it is signed out. It cannot be undone.</p><button class="danger">Revoke ${nameCell(name, 30)}</button></form></details>`;
}

function createForm({ formField, address, typed }: ConsoleView): Html {
  const chosen = new Set(typed?.getAll('scope') ?? []);
  return html`<details class="panel"${typed?.has('name') ? html` open` : ''}><summary>Make a key</summary>
<form class="fields" method="post" action="${address.path}/create">${formField}
<label><span>Name</span><input name="name" value="${typed?.get('name') ?? ''}" required maxlength="100"><small>Who uses it; the audit log names its acts so.</small></label>
<fieldset><legend>May</legend>${API_SCOPES.map((scope) => html`<label class="choice"><input type="checkbox" name="scope" value="${scope}"${chosen.has(scope) ? html` checked` : ''}> ${scope} <small>${SCOPE_WORDS[scope]}</small></label>`)}</fieldset>
<div><button>Make the key</button></div></form></details>`;
}

type Setting = readonly [name: string, value: string];

/** Without a secret: of those it says that they are set, and of addresses the host. */
function configurationTable(): TableDefinition<Setting> {
  const defaults = describeConfig(loadConfig({}));
  const isSet = ([name, value]: Setting) => defaults[name] !== value;
  return {
    name: 'configuration',
    caption: 'Configuration',
    pageSize: 200,
    empty: 'This service was not told its configuration.',
    columns: [
      {
        name: 'variable',
        title: 'Variable',
        kind: 'text',
        isRowHeader: true,
        cell: ([name]) => html`<code>${name}</code>`,
        csv: ([name]) => name,
        sortBy: ([name]) => name,
      },
      {
        name: 'value',
        title: 'Value',
        kind: 'text',
        cell: ([, value]) => nameCell(value, 120),
        csv: ([, value]) => value,
      },
      {
        name: 'from',
        title: 'From',
        kind: 'text',
        cell: (setting) =>
          isSet(setting) ? html`<span class="tag good">set</span>` : html`<span class="muted">default</span>`,
        csv: (setting) => (isSet(setting) ? 'set' : 'default'),
        sortBy: (setting) => (isSet(setting) ? 'set' : 'default'),
      },
    ],
  };
}

export const settingsPage = definePage<Material>({
  path: '/console/settings',
  title: 'Keys and configuration',
  scopes: [],
  rail: { title: 'Settings', key: 's' },
  gather: async (snapshot) => ({
    keys: await listApiKeys(snapshot),
    sessionCounts: await countOpenSessions(snapshot),
  }),
  show: (material, view) => {
    const { keys } = material;
    const liveCount = keys.filter(({ revokedAt }) => revokedAt === null).length;
    const table = keyTable(material, view);
    const configuration = configurationTable();
    const settings = Object.entries(view.dependencies.settings?.configuration ?? {}) as Setting[];
    return {
      body: html`<p class="lead">${liveCount} ${liveCount === 1 ? 'key is' : 'keys are'} live. A key is shown once, when it is made; only its hash is kept. Whoever gets one exchanges it under <a href="${OWN_KEY_PATH}">Your key</a>, so that nobody else knows it.</p>
${dataTable(table, keys, view.address)}
${createForm(view)}
<p class="lead">The configuration is what this process was started with. It is changed in its environment, not here; secrets are not shown.</p>
${dataTable(configuration, settings, view.address)}`,
      csv: {
        keys: () => csvOfTable(table, keys, view.address.query),
        configuration: () => csvOfTable(configuration, settings, view.address.query),
      },
    };
  },
  acts: SETTINGS_ACTS,
});
