import { judgeLink, signLink } from '../identity/page-links.ts';

/**
 * The link to a quote's page: whoever has it may read the quote as a customer reads it, until it expires.
 * @param quote `origin`: how browsers reach the service
 */
export function quoteAddress(
  key: string,
  { quoteId, validUntil, origin }: { quoteId: string; validUntil: Date | null; origin: string },
): string {
  const query = signLink(key, { kind: 'quote', id: quoteId }, validUntil ?? new Date(0));
  return `${origin.replace(/\/$/, '')}/quotes/${quoteId}?${query}`;
}

/** What a link is worth: whether it was made by us, for this quote, and lives. */
export function judgeQuoteLink(
  key: string,
  link: { quoteId: string; expires: string | undefined; signature: string | undefined },
  now: Date,
): ReturnType<typeof judgeLink> {
  const { quoteId, expires, signature } = link;
  return judgeLink(key, { kind: 'quote', id: quoteId, expires, signature }, now);
}
