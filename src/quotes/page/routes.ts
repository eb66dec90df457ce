import type { Context } from 'hono';
import { judgeLink } from '../../identity/links/judge-link.ts';
import { findCaller, hasScope } from '../../identity/require-scope.ts';
import { addStyle, FORM_PAGE_HEADERS, PAGE_HEADERS } from '../../pages/document.ts';
import { QUOTE_STYLE } from '../../pages/style.ts';
import { limitBody } from '../../platform/http/body-limit.ts';
import type { Api, ApiDependencies, ApiEnvironment } from '../../platform/http/dependencies.ts';
import { addAcceptRoute } from '../accept-routes.ts';
import { readAcceptance } from '../acceptance.ts';
import { findQuote, linkOf, readStanding } from '../standing.ts';
import { lockedQuotePage, missingQuotePage, QUOTE_STYLE_PATH, quotePage } from './page.ts';

const MAX_FORM_BYTES = 16 * 1024;

/**
 * Adds `GET /quotes/{quoteId}`: a quote's page, to whoever has its signed link (once it is accepted, past its expiry too), or a key with the scope sales, finance
 * or admin. Cost and margin (`?view=internal`) are for the key alone. Whoever has the link can accept it, by a POST.
 */
export function addQuotePage(api: Api, dependencies: ApiDependencies): void {
  addStyle(api, QUOTE_STYLE_PATH, QUOTE_STYLE);
  api.use('/quotes/*', limitBody(MAX_FORM_BYTES));
  api.get('/quotes/:quoteId', async (context) => {
    const quoteId = context.req.param('quoteId');
    const hasKey = await hasQuoteScope(dependencies, context);
    const now = dependencies.clock.now();
    const verdict = await judgeLink(dependencies, { kind: 'quote', targetId: quoteId }, linkOf(context));
    // What a customer accepted they may read for as long as the link is theirs.
    const isLinked =
      verdict === 'valid' ||
      (verdict === 'expired' && (await readAcceptance(dependencies.database, quoteId)) !== null);
    if (!hasKey && !isLinked) return context.html(missingQuotePage(), 404, PAGE_HEADERS);
    const internal = context.req.query('view') === 'internal';
    if (internal && !hasKey) return context.html(lockedQuotePage(), 401, PAGE_HEADERS);
    const quote = await findQuote(dependencies, quoteId);
    if (quote === null) return context.html(missingQuotePage(), 404, PAGE_HEADERS);
    const shown = await readStanding(dependencies, quote, isLinked ? linkOf(context) : null);
    return context.html(quotePage(quote.body, { internal, now, ...shown }), 200, FORM_PAGE_HEADERS);
  });
  addAcceptRoute(api, dependencies);
}

async function hasQuoteScope(
  dependencies: ApiDependencies,
  context: Context<ApiEnvironment>,
): Promise<boolean> {
  const caller = await findCaller(dependencies, context);
  return caller !== null && hasScope(caller, ['sales', 'finance']);
}
