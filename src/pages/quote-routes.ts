import type { Context } from 'hono';
import { findBearerKey } from '../api/authentication.ts';
import type { Api, ApiDependencies, ApiEnvironment } from '../api/dependencies.ts';
import { isQuoteLinkValid, readLinkKey } from '../api/quote-links.ts';
import type { StoredQuoteBody } from '../api/quote-schemas.ts';
import { TallystickError } from '../errors.ts';
import { getQuote } from '../ledger/quotes.ts';
import { lockedQuotePage, missingQuotePage, QUOTE_STYLE_PATH, quotePage } from './quote.ts';
import { QUOTE_STYLE } from './quote-style.ts';

/** The page's own sheet, and nothing else: no script, no image, no frame, no other address. */
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Robots-Tag': 'noindex',
  'Cache-Control': 'no-store',
};

const QUOTE_ID = /^quote_[A-Za-z0-9_-]{16,64}$/;

/**
 * Adds `GET /quotes/{quoteId}`: a quote's page, to whoever has its signed link, or a key with the scope sales, finance
 * or admin. Cost and margin (`?view=internal`) are for the key alone.
 */
export function addQuotePage(api: Api, dependencies: ApiDependencies): void {
  api.get(QUOTE_STYLE_PATH, (context) =>
    context.body(QUOTE_STYLE, 200, {
      'Content-Type': 'text/css; charset=utf-8',
      'Cache-Control': 'public, max-age=3600',
    }),
  );
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
      return context.html(missingQuotePage(), 404, HEADERS);
    }
    const internal = context.req.query('view') === 'internal';
    if (internal && !hasKey) return context.html(lockedQuotePage(), 401, HEADERS);
    const quote = await findQuote(dependencies, quoteId);
    return quote === null
      ? context.html(missingQuotePage(), 404, HEADERS)
      : context.html(quotePage(quote, { internal, now }), 200, HEADERS);
  });
}

async function hasQuoteScope(
  dependencies: ApiDependencies,
  context: Context<ApiEnvironment>,
): Promise<boolean> {
  const key = await findBearerKey(dependencies, context);
  return key?.scopes.some((scope) => ['sales', 'finance', 'admin'].includes(scope)) ?? false;
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
