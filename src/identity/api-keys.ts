import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { LedgerRow } from '../platform/database/schema/schema.ts';
import { ValidationError } from '../platform/errors.ts';
import { randomText } from '../platform/random-text.ts';
import { hashOf } from './secret-hash.ts';

/** `admin` implies every scope; see `docs/api.md` for what each one may do. */
export const API_SCOPES = ['sales', 'finance', 'portal', 'gateway', 'admin'] as const;
export type ApiScope = (typeof API_SCOPES)[number];

export interface ApiKey {
  apiKeyId: string;
  name: string;
  scopes: ApiScope[];
  createdAt: Date;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
  /** When its holder exchanged the secret that somebody else had made; null: whoever made it may know it. */
  takenOverAt: Date | null;
}

const PREFIX = 'tsk_';
const SHAPE = /^tsk_[A-Za-z0-9_-]{43}$/;
/** `last_used_at` is a hint for people; writing it on every call would make each read a write. */
const LAST_USED_PRECISION_MS = 60_000;

/** A key that nobody has seen yet, and what the ledger keeps of it. */
export function newSecret(): { plainKey: string; keyHash: string } {
  const plainKey = PREFIX + randomText(32);
  return { plainKey, keyHash: hashOf(plainKey) };
}

/**
 * Makes a key. Only its SHA-256 is stored: 256 random bits need no slow hash, and the plain key is shown
 * this once. Audited, without the key.
 * @throws ValidationError when the name is empty or longer than 100 characters, or no known scope is given
 */
export async function createApiKey(
  database: LedgerDatabase,
  input: { name: string; scopes: readonly string[]; actor: string; now: Date },
): Promise<{ plainKey: string; key: ApiKey }> {
  const name = input.name.trim();
  if (name === '' || name.length > 100) {
    throw new ValidationError('name', 'must have 1 to 100 characters', 'Say who uses the key, e.g. "crm".');
  }
  const unknown = input.scopes.filter((scope) => !isScope(scope));
  const scopes = API_SCOPES.filter((scope) => input.scopes.includes(scope));
  if (unknown.length > 0 || scopes.length === 0) {
    throw new ValidationError('scopes', `must be some of ${API_SCOPES.join(', ')}`);
  }
  const { plainKey, keyHash } = newSecret();
  const apiKeyId = `key_${randomText(12)}`;
  await database.transaction().execute(async (transaction) => {
    await transaction
      .insertInto('api_keys')
      .values({
        api_key_id: apiKeyId,
        key_hash: keyHash,
        name,
        scopes,
        created_at: input.now,
        last_used_at: null,
        revoked_at: null,
      })
      .execute();
    await writeAudit(transaction, {
      actor: input.actor,
      action: 'key.create',
      target: apiKeyId,
      details: { name, scopes },
      now: input.now,
    });
  });
  return {
    plainKey,
    key: {
      ...{ apiKeyId, name, scopes, createdAt: input.now },
      ...{ lastUsedAt: null, revokedAt: null, takenOverAt: null },
    },
  };
}

/** The live key that this text is, or null: unknown, malformed and revoked keys look the same. */
export async function findApiKey(
  database: LedgerDatabase,
  plainKey: string,
  now: Date,
): Promise<ApiKey | null> {
  if (!SHAPE.test(plainKey)) return null;
  const row = await database
    .selectFrom('api_keys')
    .selectAll()
    .where('key_hash', '=', hashOf(plainKey))
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  if (row === undefined) return null;
  if (row.last_used_at === null || now.getTime() - row.last_used_at.getTime() > LAST_USED_PRECISION_MS) {
    await database
      .updateTable('api_keys')
      .set({ last_used_at: now })
      .where('api_key_id', '=', row.api_key_id)
      .execute();
  }
  return toApiKey(row);
}

/** Ends a key's life; true when it was alive until now. Audited. */
export async function revokeApiKey(
  database: LedgerDatabase,
  apiKeyId: string,
  by: { actor: string; now: Date },
): Promise<boolean> {
  return await database.transaction().execute(async (transaction) => {
    const revoked = await transaction
      .updateTable('api_keys')
      .set({ revoked_at: by.now })
      .where('api_key_id', '=', apiKeyId)
      .where('revoked_at', 'is', null)
      .returning(['name', 'scopes'])
      .executeTakeFirst();
    if (revoked === undefined) return false;
    await writeAudit(transaction, {
      actor: by.actor,
      action: 'key.revoke',
      target: apiKeyId,
      details: { name: revoked.name, scopes: revoked.scopes },
      now: by.now,
    });
    return true;
  });
}

/** All keys, the oldest first, revoked ones included. */
export async function listApiKeys(database: LedgerDatabase): Promise<ApiKey[]> {
  const rows = await database
    .selectFrom('api_keys')
    .selectAll()
    .orderBy('created_at')
    .orderBy('api_key_id')
    .execute();
  return rows.map(toApiKey);
}

function isScope(scope: string): scope is ApiScope {
  return (API_SCOPES as readonly string[]).includes(scope);
}

export function toApiKey(row: LedgerRow<'api_keys'>): ApiKey {
  return {
    apiKeyId: row.api_key_id,
    name: row.name,
    scopes: row.scopes.filter(isScope),
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
    takenOverAt: row.taken_over_at,
  };
}
