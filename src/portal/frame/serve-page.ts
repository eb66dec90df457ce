import type { Context } from 'hono';
import { findPortalVisit, type PortalVisit } from '../../identity/portal-access.ts';
import { readSnapshot } from '../../platform/database/snapshot.ts';
import { toTallystickError } from '../../platform/errors.ts';
import { answerCsvInParts } from '../../platform/http/csv.ts';
import { type ApiEnvironment, DEFAULT_API_SETTINGS } from '../../platform/http/dependencies.ts';
import type { StatementDependencies } from '../../statements/dependencies.ts';
import type { readerLocale } from '../words/reader.ts';
import { isFor, type PortalContent, type PortalPage, type PortalView } from './define-page.ts';
import { type PortalFrame, portalDocument } from './document.ts';
import { portalHeaders } from './headers.ts';
import { endedPage, failedPage, missingPage, waitingPage } from './plain-pages.ts';

type PortalContext = Context<ApiEnvironment>;

/** What serves every page. */
export interface PortalSite {
  dependencies: StatementDependencies;
  pages: readonly PortalPage[];
  stylePath: string;
  scriptPath: string;
  localeOf: typeof readerLocale;
}

/**
 * Answers a request below a base: the page of this path that is for the reader, or that there is none. Whoever has no visit
 * learns nothing of which pages there are.
 * @param path below the base, as it is registered; null: no page has it
 */
export async function answerPortal(
  site: PortalSite,
  context: PortalContext,
  path: string | null,
): Promise<Response> {
  const frame = frameOf(site, context);
  const headers = headersOf(site, context);
  const visit = await findPortalVisit(site.dependencies, context);
  if (visit === null) return context.html(endedPage(frame), 401, headers);
  const missing = () => context.html(missingPage(frame, visit.base), 404, headers);
  const page = site.pages.find((one) => one.path === path && isFor(one, visit.reader));
  if (page === undefined) return missing();
  const view = viewOf(site, context, visit, frame);
  try {
    const { database } = site.dependencies;
    const content = await page.read(view, (read) => readSnapshot(database, read));
    const csv = view.address.query.get('csv');
    if (csv !== null) {
      const table = Object.hasOwn(content.csv ?? {}, csv) ? content.csv?.[csv] : undefined;
      if (table === undefined) return missing();
      for (const [name, value] of Object.entries(headers)) context.header(name, value);
      return await answerCsvInParts(context, table(), csv);
    }
    return context.html(drawn(site, frame, { visit, page, view, content }), 200, headers);
  } catch (error) {
    const known = toTallystickError(error);
    if (['NOT_FOUND', 'UNKNOWN_CUSTOMER', 'VALIDATION'].includes(known.code)) return missing();
    const fields = { err: error, code: known.code, requestId: context.get('requestId') };
    if (known.code.startsWith('UPSTREAM_')) {
      site.dependencies.log?.warn(fields, 'a page of the portal waits for Stripe');
      return context.html(waitingPage(frame), 503, { ...headers, 'Retry-After': '60' });
    }
    site.dependencies.log?.error(fields, 'a page of the portal failed');
    return context.html(failedPage(frame, context.get('requestId')), 500, headers);
  }
}

/** What a host frames may be framed also when its session has ended: else its reader sees a browser's error instead of a sentence. */
function headersOf(
  { dependencies: { settings } }: PortalSite,
  context: PortalContext,
): Record<string, string> {
  const isFramed = context.req.param('portalToken') !== undefined;
  return portalHeaders(isFramed ? settings?.portalFrameAncestors : []);
}

function frameOf(
  { dependencies, stylePath, scriptPath, localeOf }: PortalSite,
  context: PortalContext,
): PortalFrame {
  const { seller } = dependencies.settings ?? DEFAULT_API_SETTINGS;
  return { seller, locale: localeOf(context.req.header('accept-language')), stylePath, scriptPath };
}

function viewOf(
  { dependencies }: PortalSite,
  context: PortalContext,
  { reader, base }: PortalVisit,
  { locale }: PortalFrame,
): PortalView {
  const { pathname, search } = new URL(context.req.url);
  return {
    dependencies,
    reader,
    address: { path: pathname, query: new URLSearchParams(search) },
    params: context.req.param(),
    now: dependencies.clock.now(),
    locale,
    href: (path, query = {}) => {
      const asked = new URLSearchParams(query);
      return `${base}${path}${asked.size === 0 ? '' : `?${asked}`}`;
    },
  };
}

function drawn(
  { pages }: PortalSite,
  frame: PortalFrame,
  here: { visit: PortalVisit; page: PortalPage; view: PortalView; content: PortalContent },
) {
  const { visit, page, view, content } = here;
  const { words, instant } = frame.locale;
  const usage = visit.reader.userId === null ? words.frame.usage : words.frame.userUsage;
  const links = [
    { path: '', title: usage },
    { path: '/hours', title: words.frame.hours },
  ].filter(({ path }) => pages.some((one) => one.path === path && isFor(one, visit.reader)));
  const { dataAsOf, title, body } = content;
  const age =
    dataAsOf === undefined
      ? []
      : [dataAsOf === null ? words.frame.neverCollected : words.frame.dataAsOf(instant(dataAsOf))];
  return portalDocument(frame, {
    title,
    body,
    ways: {
      links: links.map(({ path, title: its }) => ({
        href: view.href(path),
        title: its,
        isHere: path === page.path,
      })),
    },
    foot: [...age, words.frame.days],
  });
}
