import { html } from 'hono/html';
import { createApiKey, revokeApiKey } from '../../identity/api-keys.ts';
import { TallystickError } from '../../platform/errors.ts';
import type { PageAct } from '../frame/define-page.ts';

export const SETTINGS_ACTS: Readonly<Record<string, PageAct>> = {
  create: {
    scopes: [],
    makes: true,
    run: async (form, { caller, dependencies }) => {
      const { plainKey, key } = await createApiKey(dependencies.database, {
        name: form.get('name') ?? '',
        scopes: form.getAll('scope'),
        actor: caller.actor,
        now: dependencies.clock.now(),
      });
      return {
        shown: {
          title: 'The new key',
          body: html`<p class="lead">This is the only time that it is shown. Keep it where secrets are kept.</p>
<p><code>${plainKey}</code></p>
<dl class="facts"><dt>Name</dt><dd>${key.name}</dd><dt>May</dt><dd>${key.scopes.join(', ')}</dd></dl>
<p><a href="/console/settings">Back to the keys</a></p>`,
        },
      };
    },
  },
  revoke: {
    scopes: [],
    run: async (form, { caller, dependencies }) => {
      const by = { actor: caller.actor, now: dependencies.clock.now() };
      const wasLive = await revokeApiKey(dependencies.database, form.get('key') ?? '', by);
      if (wasLive) return { notice: 'The key is revoked.' };
      throw new TallystickError('There is no live key of this id.', {
        code: 'NOT_FOUND',
        retry: false,
        fix: 'Somebody may have revoked it a moment ago.',
      });
    },
  },
};
