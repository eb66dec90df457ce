import { judgeLink, signLink } from '../identity/page-links.ts';

/** The address of a quote's page: whoever has it may read the quote as a customer reads it, until it expires. */
export function signQuotePath(key: string, quoteId: string, expiresAt: Date): string {
  return `/quotes/${quoteId}?${signLink(key, { kind: 'quote', id: quoteId }, expiresAt)}`;
}

/** Whether a link was made by us, for this quote, and lives. */
export function isQuoteLinkValid(
  key: string,
  link: { quoteId: string; expires: string | undefined; signature: string | undefined },
  now: Date,
): boolean {
  const { quoteId, expires, signature } = link;
  return judgeLink(key, { kind: 'quote', id: quoteId, expires, signature }, now) === 'valid';
}
