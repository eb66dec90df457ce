import { judgePortalLink } from '../identity/links/judge-link.ts';
import { readLinkQuery } from '../identity/links/signature.ts';
import { writePortalCookie } from '../identity/portal-access.ts';
import { beginPortalSession, PORTAL_SESSION_SECONDS } from '../identity/portal-sessions.ts';
import { PAGE_HEADERS } from '../pages/document.ts';
import type { Api, ApiDependencies } from '../platform/http/dependencies.ts';
import { OPEN_PATH } from './portal-links.ts';

/**
 * Adds `GET /portal/open`: a link to the portal becomes a cookie, and its signature leaves the address. One that opens nothing is
 * answered like an address of the portal that leads nowhere, by what comes after this; an earlier session stays what it is.
 */
export function addOpenRoute(api: Api, dependencies: ApiDependencies): void {
  const { database, settings, log } = dependencies;
  api.get(OPEN_PATH, async (context, next) => {
    const link = await judgePortalLink(dependencies, readLinkQuery(context));
    if (link === null) {
      const fields = { link: context.req.query('link'), requestId: context.get('requestId') };
      log?.warn(fields, 'a link to the portal was refused');
      await next();
      const { body, headers } = context.res;
      context.res = new Response(body, { status: 404, headers });
      return;
    }
    const { linkId, ...reader } = link;
    const { token } = await beginPortalSession(database, reader, { linkId }, PORTAL_SESSION_SECONDS);
    writePortalCookie(context, settings, token);
    for (const [name, value] of Object.entries(PAGE_HEADERS)) context.header(name, value);
    return context.redirect('/portal', 303);
  });
}
