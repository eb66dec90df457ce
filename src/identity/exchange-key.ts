import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';
import type { ApiCaller } from '../platform/http/dependencies.ts';
import { type ApiKey, newSecret, toApiKey } from './api-keys.ts';

/** Two who exchange a key at once would both be told a secret, and one of the two opens nothing. */
const MOMENT_MS = 10_000;

/**
 * Gives the caller's own key another secret, shown this once: the old one ends at once, with every session and sign-in link that it
 * began. The key stays what it is (id, name, scopes), and is its holder's alone from now on, whoever made it. Audited.
 * @param keep hash of the session that asks, which stays
 * @throws TallystickError FORBIDDEN for whoever calls without a key; CONFLICT when it was exchanged a moment ago; NOT_FOUND when it
 *   was revoked meanwhile
 */
export async function exchangeOwnKey(
  database: LedgerDatabase,
  caller: ApiCaller,
  { now, keep = null }: { now: Date; keep?: string | null },
): Promise<{ plainKey: string; key: ApiKey }> {
  const { apiKeyId } = caller;
  if (apiKeyId === undefined) {
    throw new TallystickError('The command line has no key of its own to exchange.', {
      code: 'FORBIDDEN',
      retry: false,
      fix: 'Set TALLYSTICK_API_KEY to the key that you were given.',
    });
  }
  const { plainKey, keyHash } = newSecret();
  const key = await database.transaction().execute(async (transaction) => {
    const before = await transaction
      .selectFrom('api_keys')
      .select('taken_over_at')
      .where('api_key_id', '=', apiKeyId)
      .where('revoked_at', 'is', null)
      .forUpdate()
      .executeTakeFirst();
    if (before === undefined) {
      throw new TallystickError('The key was revoked.', {
        code: 'NOT_FOUND',
        retry: false,
        fix: 'Ask for another one.',
      });
    }
    if (before.taken_over_at !== null && now.getTime() - before.taken_over_at.getTime() < MOMENT_MS) {
      throw new TallystickError('The key was exchanged a moment ago.', {
        code: 'CONFLICT',
        retry: true,
        fix: 'Use the secret that was shown then. If you did not see it, somebody else may have: have the key revoked.',
      });
    }
    const row = await transaction
      .updateTable('api_keys')
      .set({ key_hash: keyHash, taken_over_at: now })
      .where('api_key_id', '=', apiKeyId)
      .returningAll()
      .executeTakeFirstOrThrow();
    await transaction.deleteFrom('console_sign_in_links').where('api_key_id', '=', apiKeyId).execute();
    let ending = transaction.deleteFrom('console_sessions').where('api_key_id', '=', apiKeyId);
    if (keep !== null) ending = ending.where('session_hash', '!=', keep);
    await ending.execute();
    const { name, scopes } = row;
    const details = { name, scopes, isFirst: before.taken_over_at === null };
    await writeAudit(transaction, {
      actor: caller.actor,
      action: 'key.exchange',
      target: apiKeyId,
      details,
      now,
    });
    return toApiKey(row);
  });
  return { plainKey, key };
}
