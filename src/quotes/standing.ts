import type { Context } from 'hono';
import { readLinkKeys } from '../identity/links/keys.ts';
import { type LinkQuery, readLinkQuery, writeLinkQuery } from '../identity/links/signature.ts';
import { TallystickError } from '../platform/errors.ts';
import {
  type ApiDependencies,
  type ApiEnvironment,
  DEFAULT_API_SETTINGS,
} from '../platform/http/dependencies.ts';
import type { Seller } from '../platform/seller.ts';
import { acceptanceToken, offerHashOf, readAcceptance, standingOf } from './acceptance.ts';
import type { Standing } from './page/acceptance.ts';
import { getQuote, QUOTE_ID } from './quotes.ts';
import type { StoredQuoteBody } from './schemas.ts';

/** The page that a request is for, and the link that it carries. */
export interface QuoteLink extends LinkQuery {
  quoteId: string;
}

export function linkOf(context: Context<ApiEnvironment>): QuoteLink {
  return { quoteId: context.req.param('quoteId') ?? '', ...readLinkQuery(context) };
}

/** A quote that has a page. */
export interface PagedQuote {
  quoteId: string;
  resultText: string;
  body: StoredQuoteBody;
}

/** Null also for quotes of before there were pages: they lack what a page shows. */
export async function findQuote({ database }: ApiDependencies, quoteId: string): Promise<PagedQuote | null> {
  if (!QUOTE_ID.test(quoteId)) return null;
  try {
    const { resultText, resultHash } = await getQuote(database, quoteId);
    if (resultHash === null) return null;
    return { quoteId, resultText, body: JSON.parse(resultText) as StoredQuoteBody };
  } catch (error) {
    if (error instanceof TallystickError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}

/**
 * Who sells, and how a quote stands for whoever looks at it.
 * @param link by which it can be accepted; null: it is only looked at
 * @param name what was typed before
 */
export async function readStanding(
  dependencies: ApiDependencies,
  { quoteId, resultText }: PagedQuote,
  link: QuoteLink | null,
  name = '',
): Promise<{ seller: Seller; standing: Standing }> {
  const { seller } = dependencies.settings ?? DEFAULT_API_SETTINGS;
  const acceptance = await readAcceptance(dependencies.database, quoteId);
  if (acceptance !== null || link === null) return standingOf(seller, acceptance);
  const offerHash = offerHashOf(resultText, seller);
  const token = acceptanceToken(await readLinkKeys(dependencies), quoteId, offerHash);
  const action = `/quotes/${quoteId}/accept?${writeLinkQuery(link)}`;
  return { seller, standing: { kind: 'open', form: { action, token, offerHash, name } } };
}
