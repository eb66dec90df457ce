import { createHmac } from 'node:crypto';
import type { Context } from 'hono';
import type { ApiEnvironment } from '../../platform/http/dependencies.ts';
import { allKeys, type LinkKey, type LinkKeys } from './keys.ts';

/** What a link opens. A link of one kind is none of another, whatever its target. */
export const LINK_KINDS = ['quote', 'statement', 'statement-preview', 'portal', 'portal-user'] as const;
export type LinkKind = (typeof LINK_KINDS)[number];

/** What of a link is in the query of its address. */
export interface LinkQuery {
  expires?: string | undefined;
  signature?: string | undefined;
  /** The id of the link; those of before they were kept have none. */
  link?: string | undefined;
}

/** What is signed. */
export interface SignedFacts {
  kind: LinkKind;
  /** The quote, the invoice, or the customer. */
  targetId: string;
  /** Seconds since 1970. */
  expires: string;
  linkId: string | undefined;
}

/** The link that a request carries, if any. */
export function readLinkQuery(context: Context<ApiEnvironment>): LinkQuery {
  const { expires, signature, link } = context.req.query();
  return { expires, signature, link };
}

/** The same link for another address of the same target; empty: there is none. */
export function writeLinkQuery({ expires, signature, link }: LinkQuery): string {
  if (expires === undefined || signature === undefined) return '';
  return new URLSearchParams({ expires, signature, ...(link === undefined ? {} : { link }) }).toString();
}

/** The query of a new link. */
export function signLink(key: LinkKey, facts: Omit<SignedFacts, 'linkId'> & { linkId: string }): string {
  const { expires, linkId } = facts;
  return writeLinkQuery({ expires, signature: signatureOf(key, facts), link: linkId });
}

/** The signature that each of our keys would give, whatever the link is: all links take the same work. */
export function signaturesOf(keys: LinkKeys, facts: SignedFacts): string[] {
  return allKeys(keys).map((key) => signatureOf(key, facts));
}

function signatureOf({ secret }: LinkKey, { kind, targetId, expires, linkId }: SignedFacts): string {
  const words = [`${kind}-page`, targetId, expires, ...(linkId === undefined ? [] : [linkId])];
  return createHmac('sha256', secret).update(words.join('\n')).digest('base64url');
}
