import { html } from 'hono/html';
import { type ApiKey, listApiKeys } from '../../identity/api-keys.ts';
import { exchangeOwnKey } from '../../identity/exchange-key.ts';
import { instantCell } from '../../pages/numbers.ts';
import { nameCell } from '../../pages/texts.ts';
import { definePage, type PageAct } from '../frame/define-page.ts';
import { OWN_KEY_PATH } from '../frame/document.ts';

const exchange: PageAct = {
  scopes: ['sales', 'finance'],
  makes: true,
  run: async (_form, { caller, dependencies, sessionHash }) => {
    const asked = { now: dependencies.clock.now(), keep: sessionHash };
    const { plainKey, key } = await exchangeOwnKey(dependencies.database, caller, asked);
    return {
      shown: {
        title: 'Your key has another secret',
        body: html`<p class="lead">This is the only time that it is shown. Keep it where secrets are kept; the old one opens nothing any more.</p>
<p><code>${plainKey}</code></p>
<dl class="facts"><dt>Name</dt><dd>${nameCell(key.name)}</dd><dt>May</dt><dd>${key.scopes.join(', ')}</dd></dl>
<p class="links"><a href="${OWN_KEY_PATH}">Back to your key</a></p>`,
      },
    };
  },
};

/** The key of whoever is signed in, which they may make their own. */
export const ownKeyPage = definePage<ApiKey | undefined>({
  path: OWN_KEY_PATH,
  title: 'Your key',
  scopes: ['sales', 'finance'],
  gather: async (snapshot, { caller }) =>
    (await listApiKeys(snapshot)).find(({ apiKeyId }) => apiKeyId === caller.apiKeyId),
  show: (key, { formField, address }) => ({
    body:
      key === undefined
        ? html`<p class="lead">You are signed in without a key.</p>`
        : html`<p class="lead">${
            key.takenOverAt === null
              ? 'Whoever made this key for you may know it as well. Exchange its secret, and it is yours alone.'
              : html`You exchanged its secret on ${instantCell(key.takenOverAt)}: what it does since then is yours alone.`
          }</p>
<dl class="facts"><dt>Name</dt><dd>${nameCell(key.name)}</dd><dt>May</dt><dd>${key.scopes.join(', ')}</dd><dt>Made</dt><dd>${instantCell(key.createdAt)}</dd></dl>
<form class="panel" method="post" action="${address.path}/exchange">${formField}
<p>You are shown another secret, once. The old one is refused from then on, in every program that has it, and whoever else is signed in with it is signed out. Where a second person must agree, the key counts as your own and no longer as that of whoever made it, for what is asked for from then on.</p>
<button>Exchange the secret</button></form>`,
  }),
  acts: { exchange },
});
