import { createHmac } from 'node:crypto';
import type { ApiDependencies } from '../platform/http/dependencies.ts';
import { isSameText } from '../platform/same-text.ts';
import { readServiceSecret } from './service-secrets.ts';

/** Name of the generated key in the ledger, for when the configuration has none. */
const SECRET_NAME = 'link_signing_key';

/** What a link opens. A link of one kind is none of another, whatever its id. */
export type LinkedPage = 'quote' | 'statement' | 'statement-preview';

/** What makes an address a link: where to, until when, by whom. */
export interface PageLink {
  kind: LinkedPage;
  id: string;
  expires: string | undefined;
  signature: string | undefined;
}

/** `expires` and `signature` of a link. Nothing is stored for it; who changes its id or its time has no signature for it. */
export function signLink(key: string, page: { kind: LinkedPage; id: string }, expiresAt: Date): string {
  const expires = String(Math.floor(expiresAt.getTime() / 1_000));
  return `expires=${expires}&signature=${signatureOf(key, page, expires)}`;
}

/** Whether a link was made by us, for this page, and lives; else why not, for the log alone. */
export function judgeLink(
  key: string,
  link: PageLink,
  now: Date,
): 'valid' | 'absent' | 'altered' | 'expired' {
  const { expires, signature } = link;
  if (expires === undefined && signature === undefined) return 'absent';
  if (expires === undefined || signature === undefined || !/^\d{1,12}$/.test(expires)) return 'altered';
  if (!isSameText(signature, signatureOf(key, link, expires))) return 'altered';
  return Number(expires) * 1_000 > now.getTime() ? 'valid' : 'expired';
}

/** The key of links: configured, else one that all processes on this ledger share. */
export async function readLinkKey({
  database,
  clock,
  settings,
}: Pick<ApiDependencies, 'database' | 'clock' | 'settings'>): Promise<string> {
  return settings?.linkSigningKey ?? (await readServiceSecret(database, SECRET_NAME, clock.now()));
}

function signatureOf(key: string, { kind, id }: { kind: LinkedPage; id: string }, expires: string): string {
  return createHmac('sha256', key).update(`${kind}-page\n${id}\n${expires}`).digest('base64url');
}
