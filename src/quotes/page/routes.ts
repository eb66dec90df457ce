import type { Context } from 'hono';
import { readLinkKey } from '../../identity/page-links.ts';
import { findCaller } from '../../identity/require-scope.ts';
import { addStyle, PAGE_HEADERS } from '../../pages/document.ts';
import { QUOTE_STYLE } from '../../pages/style.ts';
import { TallystickError } from '../../platform/errors.ts';
import type { Api, ApiDependencies, ApiEnvironment } from '../../platform/http/dependencies.ts';
import { isQuoteLinkValid } from '../links.ts';
import { getQuote } from '../quotes.ts';
import type { StoredQuoteBody } from '../schemas.ts';
import { lockedQuotePage, missingQuotePage, QUOTE_STYLE_PATH, quotePage } from './page.ts';

const QUOTE_ID = /^quote_[A-Za-z0-9_-]{16,64}$/;

/**
 * Adds `GET /quotes/{quoteId}`: a quote's page, to whoever has its signed link, or a key with the scope sales, finance
 * or admin. Cost and margin (`?view=internal`) are for the key alone.
 */
export function addQuotePage(api: Api, dependencies: ApiDependencies): void {
  addStyle(api, QUOTE_STYLE_PATH, QUOTE_STYLE);
  api.get('/quotes/:quoteId', async (context) => {
    const quoteId = context.req.param('quoteId');
    const hasKey = await hasQuoteScope(dependencies, context);
    const link = {
      quoteId,
      expires: context.req.query('expires'),
      signature: context.req.query('signature'),
    };
    const now = dependencies.clock.now();
    const isLinked = !hasKey && isQuoteLinkValid(await readLinkKey(dependencies), link, now);
    if (!QUOTE_ID.test(quoteId) || !(hasKey || isLinked)) {
      return context.html(missingQuotePage(), 404, PAGE_HEADERS);
    }
    const internal = context.req.query('view') === 'internal';
    if (internal && !hasKey) return context.html(lockedQuotePage(), 401, PAGE_HEADERS);
    const quote = await findQuote(dependencies, quoteId);
    return quote === null
      ? context.html(missingQuotePage(), 404, PAGE_HEADERS)
      : context.html(quotePage(quote, { internal, now }), 200, PAGE_HEADERS);
  });
}

async function hasQuoteScope(
  dependencies: ApiDependencies,
  context: Context<ApiEnvironment>,
): Promise<boolean> {
  const caller = await findCaller(dependencies, context);
  return caller?.scopes.some((scope) => ['sales', 'finance', 'admin'].includes(scope)) ?? false;
}

/** Null also for quotes of before there were pages: they lack what a page shows. */
async function findQuote({ database }: ApiDependencies, quoteId: string): Promise<StoredQuoteBody | null> {
  try {
    const { resultText, resultHash } = await getQuote(database, quoteId);
    return resultHash === null ? null : (JSON.parse(resultText) as StoredQuoteBody);
  } catch (error) {
    if (error instanceof TallystickError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}
