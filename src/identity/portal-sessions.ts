import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { randomText } from '../platform/random-text.ts';
import { hashOf } from './secret-hash.ts';

/** How long the cookie of an opened link lives. */
export const PORTAL_SESSION_SECONDS = 8 * 3_600;
/**
 * How many sessions live at once, of one reader from one source (a link that several people share, a host that begins one for each
 * visit) and of a customer with all its users. The oldest ends: who reloads a link in a loop ends sessions of that link alone.
 */
const MOST_SESSIONS = { ofSource: 100, ofCustomer: 5_000 };

const SHAPE = /^[A-Za-z0-9_-]{43}$/;

/** Who reads the portal: a customer as a whole (`userId` null), or one user of it. Nothing else may be shown. */
export interface PortalReader {
  customerId: string;
  userId: string | null;
}

/** What a session comes from, and ends with. */
export type PortalSource = { linkId: string } | { apiKeyId: string };

/** A new session. */
export interface PortalSession {
  /** Names it, to end it; opens nothing. */
  sessionId: string;
  /** Opens it; the ledger has its hash alone. */
  token: string;
  expiresAt: Date;
}

/** Begins a session under a new token, and clears away those that have ended, and the oldest above the count of them. */
export async function beginPortalSession(
  database: LedgerDatabase,
  reader: PortalReader,
  source: PortalSource,
  validSeconds: number,
  most = MOST_SESSIONS,
): Promise<PortalSession> {
  const token = randomText(32);
  const sessionId = `ps_${randomText(12)}`;
  await database.deleteFrom('portal_sessions').where('expires_at', '<=', sql<Date>`now()`).execute();
  const { expires_at: expiresAt } = await database
    .insertInto('portal_sessions')
    .values({
      session_id: sessionId,
      session_hash: hashOf(token),
      customer_id: reader.customerId,
      user_id: reader.userId,
      link_id: 'linkId' in source ? source.linkId : null,
      api_key_id: 'apiKeyId' in source ? source.apiKeyId : null,
      expires_at: sql<Date>`now() + make_interval(secs => ${validSeconds})`,
    })
    .returning('expires_at')
    .executeTakeFirstOrThrow();
  await endOldest(database, reader.customerId, most);
  return { sessionId, token, expiresAt };
}

async function endOldest(
  database: LedgerDatabase,
  customerId: string,
  most: typeof MOST_SESSIONS,
): Promise<void> {
  await sql`
    with living as (
      select session_id, created_at,
        row_number() over (partition by user_id, link_id, api_key_id order by created_at desc, session_id) as place
      from portal_sessions where customer_id = ${customerId}
    ),
    kept as (
      select session_id from living where place <= ${most.ofSource}
      order by created_at desc, session_id limit ${most.ofCustomer}
    )
    delete from portal_sessions
    where customer_id = ${customerId} and session_id not in (select session_id from kept)`.execute(database);
}

/**
 * The reader of a live session: what it came from lives too, its customer is there, and its user is still the customer's.
 * @param of `isEmbedded`: whether it must come from a host's key instead of a link; `now`: by which links expire
 */
export async function findPortalSession(
  database: LedgerDatabase,
  token: string | undefined,
  { isEmbedded, now }: { isEmbedded: boolean; now: Date },
): Promise<PortalReader | null> {
  if (token === undefined || !SHAPE.test(token)) return null;
  const row = await database
    .selectFrom('portal_sessions as session')
    .innerJoin('customers', 'customers.customer_id', 'session.customer_id')
    .leftJoin('api_keys', 'api_keys.api_key_id', 'session.api_key_id')
    .leftJoin('page_links', 'page_links.link_id', 'session.link_id')
    .leftJoin('subjects', (join) =>
      join
        .onRef('subjects.subject', '=', 'session.user_id')
        .onRef('subjects.customer_id', '=', 'session.customer_id'),
    )
    .select(['session.customer_id', 'session.user_id'])
    .where('session.session_hash', '=', hashOf(token))
    .where('session.expires_at', '>', sql<Date>`now()`)
    .where('session.api_key_id', isEmbedded ? 'is not' : 'is', null)
    .where('api_keys.revoked_at', 'is', null)
    .where('page_links.withdrawn_at', 'is', null)
    .where((is) => is.or([is('session.link_id', 'is', null), is('page_links.expires_at', '>', now)]))
    .where('customers.deleted_at', 'is', null)
    .where((is) => is.or([is('session.user_id', 'is', null), is('subjects.subject', 'is not', null)]))
    .executeTakeFirst();
  return row === undefined ? null : { customerId: row.customer_id, userId: row.user_id };
}

/** Ends a session at once. @param apiKeyId only if it was begun with this key; null: whoever began it. @returns whether there was one */
export async function endPortalSession(
  database: LedgerDatabase,
  sessionId: string,
  apiKeyId: string | null,
): Promise<boolean> {
  let ending = database.deleteFrom('portal_sessions').where('session_id', '=', sessionId);
  if (apiKeyId !== null) ending = ending.where('api_key_id', '=', apiKeyId);
  const { numDeletedRows } = await ending.where('expires_at', '>', sql<Date>`now()`).executeTakeFirst();
  return numDeletedRows > 0n;
}

/** How many sessions of a customer, or of its users, live. */
export async function countPortalSessions(database: LedgerDatabase, customerId: string): Promise<number> {
  const row = await database
    .selectFrom('portal_sessions')
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .where('customer_id', '=', customerId)
    .where('expires_at', '>', sql<Date>`now()`)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}
