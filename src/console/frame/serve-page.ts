import type { Context } from 'hono';
import { html } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { hasScope, scopesInWords } from '../../identity/require-scope.ts';
import { findSession, leaveNotice, type Session, takeNotice } from '../../identity/sessions/sessions.ts';
import { readSnapshot } from '../../platform/database/snapshot.ts';
import { TallystickError, toTallystickError } from '../../platform/errors.ts';
import { answerCsv, answerWholeCsv } from '../../platform/http/csv.ts';
import type { Api, ApiEnvironment } from '../../platform/http/dependencies.ts';
import { isFromOurPages } from '../../platform/http/own-pages.ts';
import { problemFromError } from '../../platform/http/problem.ts';
import type { ConsoleDependencies } from '../dependencies.ts';
import { readSessionCookie } from '../session/cookie.ts';
import { formButton, formField, readForm, storable } from '../session/form.ts';
import { sendAgainPage, typedBeside } from '../session/pages.ts';
import { answerSignIn, refuseForeignForm } from '../session/routes.ts';
import { actOnce } from './act-once.ts';
import type { ConsolePage, ConsoleView, PageAct, PageContent } from './define-page.ts';
import { CONSOLE_HEADERS, type FramedPage, framedDocument, setConsoleHeaders } from './document.ts';
import { readFrameFacts } from './facts.ts';
import { readPeriod } from './period.ts';

type ConsoleContext = Context<ApiEnvironment>;
type Problem = { message: string; fix?: string | undefined };

/** Adds a page and its acts, for whoever is signed in and may. */
export function addConsolePage(
  api: Api,
  dependencies: ConsoleDependencies,
  page: ConsolePage,
  pages: readonly ConsolePage[],
): void {
  const { database, settings } = dependencies;
  const here = { dependencies, page, pages };
  api.get(page.path, async (context) => {
    const session = await findSession(database, readSessionCookie(context, settings));
    if (session === null) return context.redirect(signInPath(context), 302);
    return await answerPage(here, context, session, viewOf(here, context, session));
  });
  for (const [name, act] of Object.entries(page.acts ?? {})) {
    const path = `${page.path}/${name}`;
    // Who loads the answer of an act again, or goes back to it, sees the page.
    api.get(path, (context) => context.redirect(pathOfPage(context, name), 302));
    api.post(path, async (context) => {
      if (!isFromOurPages(context, settings)) return await refuseForeignForm(context);
      const session = await findSession(database, readSessionCookie(context, settings));
      const form = await readForm(context);
      const carried = { act: context.req.path, fields: form.fields };
      if (session === null) {
        return await answerSignIn(dependencies, context, {
          to: pathOfPage(context, name),
          carried,
          status: 401,
        });
      }
      if (!form.isOf(session.token)) {
        return context.html(sendAgainPage(carried, formField(session.token)), 200, CONSOLE_HEADERS);
      }
      const view = {
        ...viewOf(here, context, session, pathOfPage(context, name)),
        typed: form.fields,
      };
      if (!hasScope(session.caller, page.scopes)) return await answerPage(here, context, session, view);
      try {
        requireOf(session, act);
        const run = () => act.run(form.fields, view);
        const result =
          act.makes === true
            ? await actOnce(database, { secret: form.secretIn(session.token, context.req.path) }, run)
            : await run();
        if ('shown' in result)
          return await answerFramed(here, context, { view: { ...view, typed: null }, ...result.shown });
        await leaveNotice(database, session.token, result.notice);
        return context.redirect(result.to ?? view.address.path, 303);
      } catch (error) {
        const refused = { ...view, faults: faultsOf(error) };
        return await answerPage(here, context, session, refused, await tell(dependencies, context, error));
      }
    });
  }
}

interface Here {
  dependencies: ConsoleDependencies;
  page: ConsolePage;
  pages: readonly ConsolePage[];
}

function viewOf(
  { dependencies, page, pages }: Here,
  context: ConsoleContext,
  session: Session,
  path = context.req.path,
): ConsoleView {
  const query = storable(new URLSearchParams(new URL(context.req.url).search));
  const now = dependencies.clock.now();
  const currency = query.get('currency') ?? '';
  return {
    dependencies,
    caller: session.caller,
    sessionHash: session.sessionHash,
    address: { path, query },
    params: Object.fromEntries(storable(Object.entries(context.req.param()))),
    now,
    period: readPeriod(query, now, page.unaskedPeriod),
    currency: /^[a-z]{3}$/.test(currency) ? currency : null,
    formField: formField(session.token),
    formButton: (act, words) => formButton(session.token, act, words),
    origin: dependencies.settings?.publicUrl ?? new URL(context.req.url).origin,
    typed: null,
    faults: new Map(),
    hasPage: (path) => pages.some((page) => page.path === path && hasScope(session.caller, page.scopes)),
  };
}

async function answerPage(
  here: Here,
  context: ConsoleContext,
  session: Session,
  view: ConsoleView,
  refused: (Problem & { status: ContentfulStatusCode }) | null = null,
): Promise<Response> {
  const { dependencies, page } = here;
  const { database } = dependencies;
  if (!hasScope(session.caller, page.scopes)) {
    const body = html`<p class="lead">The key “${session.caller.name}” lacks the scope ${scopesInWords(page.scopes)}. Sign in with a key that has it, or ask whoever made yours.</p>`;
    const title = `You may not see “${page.title}”`;
    return await answerFramed(here, context, { view, title, body }, 403);
  }
  const csv = refused === null ? view.address.query.get('csv') : null;
  try {
    await page.prepare?.(view);
    const tables = csv === null ? {} : (page.wholeCsv?.(view) ?? {});
    const whole = csv !== null && Object.hasOwn(tables, csv) ? tables[csv] : undefined;
    if (csv !== null && whole !== undefined) {
      setConsoleHeaders(context);
      context.header('Content-Disposition', `attachment; filename="${csv}.csv"`);
      return await answerWholeCsv(context, database, whole.columns, whole.read, whole.toCells);
    }
    const { facts, content } = await readSnapshot(database, async (snapshot) => ({
      facts: await readFrameFacts(snapshot),
      content: await page.read(snapshot, view),
    }));
    const shown = content(facts);
    if (csv !== null) return answerTable(context, shown, csv);
    // Neither a part that is read anew is what the sentence was left for, nor a refusal in another tab.
    const isPart = context.req.header('x-live') !== undefined;
    const notice = isPart || refused !== null ? null : await takeNotice(database, session.token);
    const title = shown.title ?? page.title;
    const framed = { view, title, facts, notice, problem: refused, body: shown.body };
    return await answerFramed(here, context, framed, refused?.status);
  } catch (error) {
    const { status, ...problem } = await tell(dependencies, context, error);
    const title = status === 404 ? 'There is nothing here' : `${page.title} cannot be shown`;
    const body = html`<p><a href="/console">To the first page</a></p>`;
    return await answerFramed(here, context, { view, title, problem, body }, status);
  }
}

async function answerFramed(
  { page, pages }: Here,
  context: ConsoleContext,
  framed: Omit<FramedPage, 'page' | 'pages'>,
  status: ContentfulStatusCode = 200,
): Promise<Response> {
  const { view, body } = framed;
  const kept = view.typed === null ? '' : typedBeside(view.typed, body);
  const whole = { page, pages, ...framed, body: html`${kept}${body}` };
  return await context.html(framedDocument(whole), status, CONSOLE_HEADERS);
}

function answerTable(context: ConsoleContext, { csv = {} }: PageContent, name: string): Response {
  setConsoleHeaders(context);
  const table = Object.hasOwn(csv, name) ? csv[name]?.() : undefined;
  return table === undefined ? context.text('There is no such table.', 404) : answerCsv(context, table, name);
}

/** What a page says of an error: the words that the API has for it. What is ours alone goes to the log. */
async function tell(dependencies: ConsoleDependencies, context: ConsoleContext, error: unknown) {
  const known = toTallystickError(error);
  const response = problemFromError(context, known);
  const { detail, title } = (await response.json()) as { detail: string; title: string };
  const isOurs = response.status >= 500;
  if (isOurs) {
    const fields = { err: error, code: known.code, requestId: context.get('requestId') };
    dependencies.log?.error(fields, 'a page failed');
  }
  return {
    status: response.status as ContentfulStatusCode,
    message: isOurs ? `${title}.` : detail,
    fix: isOurs ? `${detail} (${context.get('requestId')})` : undefined,
  };
}

/** What an error says of single fields. */
function faultsOf(error: unknown): ReadonlyMap<string, string> {
  if (!(error instanceof TallystickError) || error.code !== 'VALIDATION') return new Map();
  const { field, errors } = error.context as {
    field?: string;
    errors?: { field: string; message: string; fix?: string }[];
  };
  const one =
    field === undefined ? [] : [{ field, message: error.message.slice(field.length + 2), fix: error.fix }];
  return new Map(
    (errors ?? one).map(({ field, message, fix }) => [
      field,
      fix === undefined ? message : `${message}. ${fix}`,
    ]),
  );
}

/** @throws TallystickError FORBIDDEN, which names the missing scope */
function requireOf({ caller }: Session, { scopes }: PageAct): void {
  if (hasScope(caller, scopes)) return;
  throw new TallystickError(`The key “${caller.name}” lacks the scope ${scopesInWords(scopes)}.`, {
    code: 'FORBIDDEN',
    retry: false,
    fix: 'Nothing was done. Sign in with a key that has it.',
  });
}

function signInPath(context: ConsoleContext): string {
  const { pathname, search } = new URL(context.req.url);
  return `/console/sign-in?${new URLSearchParams({ to: `${pathname}${search}` })}`;
}

/** The page of an act is its path without the act's name. */
function pathOfPage(context: ConsoleContext, act: string): string {
  return new URL(context.req.url).pathname.slice(0, -(act.length + 1));
}
