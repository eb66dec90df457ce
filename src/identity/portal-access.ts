import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import type { ApiDependencies, ApiEnvironment } from '../platform/http/dependencies.ts';
import { isReachedByHttps } from '../platform/http/reached-by-https.ts';
import { findPortalSession, PORTAL_SESSION_SECONDS, type PortalReader } from './portal-sessions.ts';

export type { PortalReader };

/** A reader on a page of the portal. */
export interface PortalVisit {
  reader: PortalReader;
  /**
   * What every address within the portal begins with: `/portal`, or what names the session of a frame, in which cookies
   * are another site's and are not to be relied on.
   */
  base: string;
  /** Whether a host's backend began it: it may stand in a frame of the hosts that are configured, and only it. */
  isEmbedded: boolean;
}

/** Under which every page of the portal is served: to who opened a link (a cookie), and in a frame (the token in the path). */
export const PORTAL_BASES = ['/portal', '/portal/s/:portalToken'] as const;

/** Of the cookie that an opened link leaves. */
export const PORTAL_COOKIE = 'tallystick_portal';

/**
 * Whose portal a request is for. Null: nobody's, whatever the reason (never was, ended, withdrawn, of a key that was revoked, of a
 * customer or user who is gone); all of them are answered alike.
 */
export async function findPortalVisit(
  { database, clock, settings }: ApiDependencies,
  context: Context<ApiEnvironment>,
): Promise<PortalVisit | null> {
  const pathToken = context.req.param('portalToken');
  const isEmbedded = pathToken !== undefined;
  const token = pathToken ?? getCookie(context, PORTAL_COOKIE, ...cookiePrefix(context, settings));
  const reader = await findPortalSession(database, token, { isEmbedded, now: clock.now() });
  if (reader === null) return null;
  return { reader, base: isEmbedded ? `/portal/s/${pathToken}` : '/portal', isEmbedded };
}

/** Leaves the cookie of an opened link: no script reads it, and nothing but the portal gets it. */
export function writePortalCookie(
  context: Context<ApiEnvironment>,
  settings: ApiDependencies['settings'],
  token: string,
): void {
  const isSecure = isReachedByHttps(context, settings);
  setCookie(context, PORTAL_COOKIE, token, {
    ...(isSecure ? { prefix: 'secure', secure: true } : {}),
    path: '/portal',
    httpOnly: true,
    sameSite: 'Lax',
    maxAge: PORTAL_SESSION_SECONDS,
  });
}

/** By https the cookie is one that plain http cannot have set. */
function cookiePrefix(
  context: Context<ApiEnvironment>,
  settings: ApiDependencies['settings'],
): ['secure'] | [] {
  return isReachedByHttps(context, settings) ? ['secure'] : [];
}
