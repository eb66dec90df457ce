import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { CookieOptions } from 'hono/utils/cookie';
import { SESSION_SECONDS } from '../../identity/sessions/sessions.ts';
import type { ApiEnvironment, ApiSettings } from '../../platform/http/dependencies.ts';
import { isReachedByHttps } from '../../platform/http/reached-by-https.ts';

const NAME = 'tallystick_session';

/** The token of the session that a browser brings. By https it is one that no other host and no plain http can have set. */
export function readSessionCookie(
  context: Context<ApiEnvironment>,
  settings: ApiSettings | undefined,
): string | undefined {
  return isReachedByHttps(context, settings) ? getCookie(context, NAME, 'host') : getCookie(context, NAME);
}

/** Lax, so that an address that was sent opens for who is signed in; what acts is a POST, which it does not go along with. */
function optionsOf(context: Context<ApiEnvironment>, settings: ApiSettings | undefined): CookieOptions {
  return {
    ...(isReachedByHttps(context, settings) ? { prefix: 'host', secure: true } : {}),
    path: '/',
    httpOnly: true,
    sameSite: 'Lax',
  };
}

export function writeSessionCookie(
  context: Context<ApiEnvironment>,
  settings: ApiSettings | undefined,
  token: string,
): void {
  setCookie(context, NAME, token, { ...optionsOf(context, settings), maxAge: SESSION_SECONDS });
}

export function clearSessionCookie(
  context: Context<ApiEnvironment>,
  settings: ApiSettings | undefined,
): void {
  deleteCookie(context, NAME, optionsOf(context, settings));
}
