import { createHash } from 'node:crypto';

/** What the ledger keeps of a secret: of a key, of a session's token, of a link that signs in. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
