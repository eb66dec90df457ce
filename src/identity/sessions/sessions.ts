import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import type { ApiCaller } from '../../platform/http/dependencies.ts';
import { randomText } from '../../platform/random-text.ts';
import { callerOf } from '../require-scope.ts';
import { hashOf } from '../secret-hash.ts';

/** A session ends so long after it began, and so long after it was last used. In seconds. */
export const SESSION_SECONDS = 8 * 3_600;
const IDLE_SECONDS = 3_600;
/** `last_seen_at` needs no write at every request. */
const SEEN_PRECISION_SECONDS = 60;

const SHAPE = /^[A-Za-z0-9_-]{43}$/;

/** Who a browser signed in as. */
export interface Session {
  /** What the browser holds; the ledger has its hash alone. */
  token: string;
  /** Which session it is, and nothing that opens it. */
  sessionHash: string;
  apiKeyId: string;
  caller: ApiCaller;
}

/** Whether a session has not ended by itself. */
export const IS_ALIVE = sql<boolean>`console_sessions.created_at > now() - make_interval(secs => ${SESSION_SECONDS})
  and console_sessions.last_seen_at > now() - make_interval(secs => ${IDLE_SECONDS})`;

/** Begins a session with the rights of a key, always under a new token, and clears away those that have ended. Audited. */
export async function beginSession(
  database: LedgerDatabase,
  caller: ApiCaller,
  apiKeyId: string,
  { by, now }: { by: 'key' | 'link'; now: Date },
): Promise<string> {
  const token = randomText(32);
  await database.transaction().execute(async (transaction) => {
    await transaction.deleteFrom('console_sessions').where(sql<boolean>`not (${IS_ALIVE})`).execute();
    await transaction
      .insertInto('console_sessions')
      .values({ session_hash: hashOf(token), api_key_id: apiKeyId })
      .execute();
    await writeAudit(transaction, {
      actor: caller.actor,
      action: 'session.begin',
      target: apiKeyId,
      details: { by },
      now,
    });
  });
  return token;
}

/** The live session of a token, whose key is alive too; null: there is none. */
export async function findSession(
  database: LedgerDatabase,
  token: string | undefined,
): Promise<Session | null> {
  if (token === undefined || !SHAPE.test(token)) return null;
  const row = await database
    .selectFrom('console_sessions')
    .innerJoin('api_keys', 'api_keys.api_key_id', 'console_sessions.api_key_id')
    .select(['api_keys.api_key_id', 'api_keys.name', 'api_keys.scopes'])
    .select(
      sql<boolean>`last_seen_at < now() - make_interval(secs => ${SEEN_PRECISION_SECONDS})`.as('is_stale'),
    )
    .where('session_hash', '=', hashOf(token))
    .where('api_keys.revoked_at', 'is', null)
    .where(IS_ALIVE)
    .executeTakeFirst();
  if (row === undefined) return null;
  if (row.is_stale) {
    await database
      .updateTable('console_sessions')
      .set({ last_seen_at: sql`now()` })
      .where('session_hash', '=', hashOf(token))
      .execute();
  }
  const caller = callerOf({ apiKeyId: row.api_key_id, name: row.name, scopes: row.scopes });
  return { token, sessionHash: hashOf(token), apiKeyId: row.api_key_id, caller };
}

/** Ends a session, wherever its token may still lie. */
export async function endSession(database: LedgerDatabase, token: string): Promise<void> {
  await database.deleteFrom('console_sessions').where('session_hash', '=', hashOf(token)).execute();
}

/** Leaves a sentence for the next page of a session. */
export async function leaveNotice(database: LedgerDatabase, token: string, notice: string): Promise<void> {
  await database
    .updateTable('console_sessions')
    .set({ notice })
    .where('session_hash', '=', hashOf(token))
    .execute();
}

/** The sentence that was left, which is told once; null: none. */
export async function takeNotice(database: LedgerDatabase, token: string): Promise<string | null> {
  const hash = hashOf(token);
  const left = await database
    .selectFrom('console_sessions')
    .select('notice')
    .where('session_hash', '=', hash)
    .executeTakeFirst();
  if (left === undefined || left.notice === null) return null;
  await database
    .updateTable('console_sessions')
    .set({ notice: null })
    .where('session_hash', '=', hash)
    .execute();
  return left.notice;
}

/** What every form of a session carries: of this session alone, and no way back to its token. */
export function formTokenOf(sessionToken: string): string {
  return createHash('sha256').update(`form\n${sessionToken}`).digest('base64url');
}
