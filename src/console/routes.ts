import { accepts } from 'hono/accepts';
import { html } from 'hono/html';
import { hasScope } from '../identity/require-scope.ts';
import { findSession } from '../identity/sessions/sessions.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { limitBody } from '../platform/http/body-limit.ts';
import type { Api } from '../platform/http/dependencies.ts';
import type { ConsoleDependencies } from './dependencies.ts';
import { addConsoleAssets } from './frame/assets.ts';
import { CONSOLE_HEADERS } from './frame/document.ts';
import { addConsolePage } from './frame/serve-page.ts';
import { CONSOLE_PAGES } from './registry.ts';
import { readSessionCookie } from './session/cookie.ts';
import { plainPage } from './session/pages.ts';
import { addSessionRoutes } from './session/routes.ts';
import { gatherInstallation, isEmpty } from './start/gather.ts';

const MAX_BODY_BYTES = 256 * 1024;

/** Adds `/console` and all that is below it, and the way there from `/`. */
export function addConsole(api: Api, dependencies: ConsoleDependencies): void {
  const { database, settings, version } = dependencies;
  api.get('/', (context) => {
    const supports = ['application/json', 'text/html'];
    const form = accepts(context, { header: 'Accept', supports, default: 'application/json' });
    context.header('Vary', 'Accept');
    if (form === 'text/html') return context.redirect('/console', 302);
    return context.json({
      name: 'tallystick',
      version,
      console: '/console',
      reference: '/docs',
      openapi: '/openapi.json',
    });
  });
  api.use('/console/*', limitBody(MAX_BODY_BYTES));
  addConsoleAssets(api);
  addSessionRoutes(api, dependencies);
  for (const page of CONSOLE_PAGES) addConsolePage(api, dependencies, page, CONSOLE_PAGES);

  // The first page that its reader may see, or what a new installation lacks.
  api.get('/console', async (context) => {
    const session = await findSession(database, readSessionCookie(context, settings));
    if (session === null) return context.redirect('/console/sign-in', 302);
    const first = CONSOLE_PAGES.find(
      ({ rail, scopes }) => rail !== undefined && hasScope(session.caller, scopes),
    );
    const isNew = isEmpty(await readSnapshot(database, gatherInstallation));
    return context.redirect(isNew || first === undefined ? '/console/start' : first.path, 302);
  });
  api.get('/console/*', (context) =>
    context.html(
      plainPage('There is nothing here', html`<p class="lead">No page has this address.</p>`),
      404,
      CONSOLE_HEADERS,
    ),
  );
}
