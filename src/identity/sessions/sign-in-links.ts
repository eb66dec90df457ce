import { sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { randomText } from '../../platform/random-text.ts';
import { callerOf } from '../require-scope.ts';
import { hashOf } from '../secret-hash.ts';
import { beginSession } from './sessions.ts';

const LINK_SECONDS = 12 * 3_600;

/** Where a link leads; the secret stands behind it. */
export const SIGN_IN_LINK_PATH = '/console/sign-in/link';

/**
 * A path that signs a browser in as a key, once; links of that key that were made before and not used are void from now
 * on, and it ends by itself after 12 hours or with the key.
 */
export async function createSignInLink(database: LedgerDatabase, apiKeyId: string): Promise<string> {
  const secret = randomText(32);
  await database.transaction().execute(async (transaction) => {
    await transaction
      .deleteFrom('console_sign_in_links')
      .where((expression) =>
        expression.or([
          expression('api_key_id', '=', apiKeyId),
          expression('expires_at', '<=', sql<Date>`now()`),
        ]),
      )
      .execute();
    await transaction
      .insertInto('console_sign_in_links')
      .values({
        link_hash: hashOf(secret),
        api_key_id: apiKeyId,
        expires_at: sql<Date>`now() + make_interval(secs => ${LINK_SECONDS})`,
      })
      .execute();
  });
  return `${SIGN_IN_LINK_PATH}?once=${secret}`;
}

/** Uses a link up. @returns the token of the session that it began; null: it was used, is too old, or never was one */
export async function useSignInLink(
  database: LedgerDatabase,
  secret: string,
  now: Date,
): Promise<string | null> {
  const used = await database
    .deleteFrom('console_sign_in_links')
    .using('api_keys')
    .whereRef('api_keys.api_key_id', '=', 'console_sign_in_links.api_key_id')
    .where('link_hash', '=', hashOf(secret))
    .where('expires_at', '>', sql<Date>`now()`)
    .where('api_keys.revoked_at', 'is', null)
    .returning(['api_keys.api_key_id', 'api_keys.name', 'api_keys.scopes'])
    .executeTakeFirst();
  if (used === undefined) return null;
  const { api_key_id: apiKeyId, name, scopes } = used;
  return await beginSession(database, callerOf({ apiKeyId, name, scopes }), apiKeyId, { by: 'link', now });
}
