import { createHmac, timingSafeEqual } from 'node:crypto';
import { readServiceSecret } from '../ledger/service-secrets.ts';
import type { ApiDependencies } from './dependencies.ts';

/** Name of the generated key in the ledger, for when the configuration has none. */
const SECRET_NAME = 'link_signing_key';

/**
 * The address of a quote's page: whoever has it may read the quote as a customer reads it, until it expires. Nothing
 * is stored for it; who changes its id or its time has no signature for it.
 */
export function signQuotePath(key: string, quoteId: string, expiresAt: Date): string {
  const expires = Math.floor(expiresAt.getTime() / 1_000);
  return `/quotes/${quoteId}?expires=${expires}&signature=${signatureOf(key, quoteId, String(expires))}`;
}

/** Whether a link was made by us, for this quote, and lives. */
export function isQuoteLinkValid(
  key: string,
  link: { quoteId: string; expires: string | undefined; signature: string | undefined },
  now: Date,
): boolean {
  const { quoteId, expires, signature } = link;
  if (expires === undefined || signature === undefined || !/^\d{1,12}$/.test(expires)) return false;
  const expected = Buffer.from(signatureOf(key, quoteId, expires));
  const given = Buffer.from(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return false;
  return Number(expires) * 1_000 > now.getTime();
}

/** The key of links: configured, else one that all processes on this ledger share. */
export async function readLinkKey({ database, clock, settings }: ApiDependencies): Promise<string> {
  return settings?.linkSigningKey ?? (await readServiceSecret(database, SECRET_NAME, clock.now()));
}

function signatureOf(key: string, quoteId: string, expires: string): string {
  return createHmac('sha256', key).update(`quote-page\n${quoteId}\n${expires}`).digest('base64url');
}
