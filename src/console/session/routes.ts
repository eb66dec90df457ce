import type { Context } from 'hono';
import { html } from 'hono/html';
import { findApiKey, listApiKeys } from '../../identity/api-keys.ts';
import { callerOf } from '../../identity/require-scope.ts';
import { hasFailedTooOften, noteFailure } from '../../identity/sessions/failures.ts';
import { beginSession, endSession, findSession } from '../../identity/sessions/sessions.ts';
import { SIGN_IN_LINK_PATH, useSignInLink } from '../../identity/sessions/sign-in-links.ts';
import type { Api, ApiDependencies, ApiEnvironment } from '../../platform/http/dependencies.ts';
import { isFromOurPages } from '../../platform/http/own-pages.ts';
import { CONSOLE_HEADERS, setConsoleHeaders } from '../frame/document.ts';
import { clearSessionCookie, readSessionCookie, writeSessionCookie } from './cookie.ts';
import { formField, readForm } from './form.ts';
import { type CarriedForm, plainPage, sendAgainPage, signInPage } from './pages.ts';
import { consoleTarget } from './target.ts';

/** Adds signing in, with a key or by a link that was made for it, and signing out. */
export function addSessionRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock, log, settings } = dependencies;

  api.get('/console/sign-in', async (context) => {
    const to = consoleTarget(context.req.query('to'));
    return await answerSignIn(dependencies, context, { to });
  });

  api.post('/console/sign-in', async (context) => {
    if (!isFromOurPages(context, settings)) return refuseForeignForm(context);
    const { fields } = await readForm(context);
    const to = consoleTarget(fields.get('to'));
    const carried = readCarried(fields);
    const source = sourceOf(context);
    const refuse = (status: 401 | 429, problem: string) =>
      answerSignIn(dependencies, context, { to, carried, problem, status });
    if (await hasFailedTooOften(database, source)) {
      return await refuse(429, 'Too many tries failed from here. Wait five minutes.');
    }
    const key = await findApiKey(database, fields.get('key')?.trim() ?? '', clock.now());
    if (key === null) {
      await noteFailure(database, source);
      log?.warn({ source }, 'a sign-in failed');
      return await refuse(401, 'This is no live key.');
    }
    // A key of a host or a gateway, which opens no page.
    if (key.scopes.every((scope) => scope === 'portal' || scope === 'gateway')) {
      return await refuse(
        401,
        'This key is for frames of the portal or for gateways, and opens no page here.',
      );
    }
    await endEarlierSession(context);
    const token = await beginSession(database, callerOf(key), key.apiKeyId, { by: 'key', now: clock.now() });
    writeSessionCookie(context, settings, token);
    if (carried !== null) return context.html(sendAgainPage(carried, formField(token)), 200, CONSOLE_HEADERS);
    return context.redirect(to, 303);
  });

  api.get(SIGN_IN_LINK_PATH, async (context) => {
    setConsoleHeaders(context);
    // What only looks ahead, or at the head of an answer, uses nothing up.
    if (context.req.method === 'HEAD' || context.req.header('sec-purpose') !== undefined)
      return context.body(null, 204);
    // Who is signed in stays who he is: a link that somebody sent changes nobody's session.
    if ((await findSession(database, readSessionCookie(context, settings))) !== null)
      return context.redirect('/console', 303);
    const token = await useSignInLink(database, context.req.query('once') ?? '', clock.now());
    if (token === null) {
      const body = html`<p class="lead">It was used, is too old, or a newer one was made. <a href="/console/sign-in">Sign in with a key</a>, or start the demo again.</p>`;
      return context.html(plainPage('This link signs nobody in', body), 410, CONSOLE_HEADERS);
    }
    await endEarlierSession(context);
    writeSessionCookie(context, settings, token);
    return context.redirect('/console', 303);
  });

  api.post('/console/sign-out', async (context) => {
    if (!isFromOurPages(context, settings)) return refuseForeignForm(context);
    const token = readSessionCookie(context, settings);
    const form = await readForm(context);
    if (token !== undefined && form.isOf(token)) await endSession(database, token);
    clearSessionCookie(context, settings);
    return context.redirect('/console/sign-in', 303);
  });

  async function endEarlierSession(context: Context<ApiEnvironment>): Promise<void> {
    const earlier = readSessionCookie(context, settings);
    if (earlier !== undefined) await endSession(database, earlier);
  }
}

/** The page to sign in at. @param page where to go then, and what is kept of a form until then */
export async function answerSignIn(
  { database }: ApiDependencies,
  context: Context<ApiEnvironment>,
  page: { to: string; carried?: CarriedForm | null; problem?: string; status?: 200 | 401 | 429 },
): Promise<Response> {
  const keys = await listApiKeys(database);
  const shown = signInPage({
    to: page.to,
    carried: page.carried ?? null,
    problem: page.problem ?? null,
    hasKeys: keys.some(({ revokedAt }) => revokedAt === null),
  });
  return await context.html(shown, page.status ?? 200, CONSOLE_HEADERS);
}

export async function refuseForeignForm(context: Context<ApiEnvironment>): Promise<Response> {
  const body = html`<p class="lead">The form was not sent from a page of this service, so nothing was done.</p>`;
  return await context.html(plainPage('Not from here', body), 403, CONSOLE_HEADERS);
}

function readCarried(fields: URLSearchParams): CarriedForm | null {
  const act = fields.get('act');
  if (act === null) return null;
  return { act: consoleTarget(act), fields: new URLSearchParams(fields.get('carried') ?? '') };
}

/** Where a try comes from: the socket's other end; in a Worker, which has none, as Cloudflare says. */
function sourceOf(context: Context): string {
  const { incoming } = (context.env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  if (incoming !== undefined) return incoming.socket?.remoteAddress ?? 'unknown';
  return context.req.header('cf-connecting-ip') ?? 'unknown';
}
