import { sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import type { ApiDependencies } from '../../platform/http/dependencies.ts';
import { isSameText } from '../../platform/same-text.ts';
import { readLinkKeys } from './keys.ts';
import { type LinkKind, type LinkQuery, signaturesOf } from './signature.ts';

/** Why a link opens or does not: for the log alone, and for nobody who asks. */
export type LinkVerdict = 'valid' | 'absent' | 'altered' | 'expired' | 'withdrawn';

/** `last_seen_at` is a hint for people; writing it at every look would make each reading a writing. */
const SEEN_PRECISION_MS = 3_600_000;
const LINK_ID = /^lnk_[A-Za-z0-9_-]{22}$/;

/** A link of the portal, which names its reader by its id alone. */
export interface JudgedPortalLink {
  linkId: string;
  customerId: string;
  userId: string | null;
}

/**
 * Whether a link was made by us, for this page, lives, and was not withdrawn. Every link that is no good takes the same two
 * signatures and the same one statement, so that neither answer nor time tells which it is.
 */
export async function judgeLink(
  dependencies: ApiDependencies,
  page: { kind: LinkKind; targetId: string },
  query: LinkQuery,
): Promise<LinkVerdict> {
  if (query.expires === undefined && query.signature === undefined) return 'absent';
  return (await judge(dependencies, query, page)).verdict;
}

/** The same for a link of the portal. Null: it opens nothing. */
export async function judgePortalLink(
  dependencies: ApiDependencies,
  query: LinkQuery,
): Promise<JudgedPortalLink | null> {
  const { verdict, row } = await judge(dependencies, query, null);
  if (verdict !== 'valid' || row.link_id === null || row.customer_id === null) return null;
  return { linkId: row.link_id, customerId: row.customer_id, userId: row.user_id };
}

type Row = Awaited<ReturnType<typeof readRow>>;

/** @param page null: the portal that the link itself names */
async function judge(
  dependencies: ApiDependencies,
  query: LinkQuery,
  page: { kind: LinkKind; targetId: string } | null,
): Promise<{ verdict: Exclude<LinkVerdict, 'absent'>; row: Row }> {
  const { database, clock } = dependencies;
  const now = clock.now();
  const expires = /^\d{1,12}$/.test(query.expires ?? '') ? (query.expires ?? '') : '0';
  const isListed = page === null || query.link !== undefined;
  const linkId = query.link !== undefined && LINK_ID.test(query.link) ? query.link : '';
  const row = await readRow(database, linkId, page ?? NO_PAGE);
  const of = page ?? {
    kind: row.user_id === null ? ('portal' as const) : ('portal-user' as const),
    targetId: row.target_id ?? '',
  };
  const signatures = signaturesOf(await readLinkKeys(dependencies), {
    ...of,
    expires,
    linkId: isListed ? linkId : undefined,
  });
  const isSigned = signatures.map((ours) => isSameText(query.signature ?? '', ours)).includes(true);
  const isKnown = !isListed || (row.kind === of.kind && row.target_id === of.targetId);
  if (!isSigned || !isKnown) return { verdict: 'altered', row };
  // What was withdrawn is so for good, and what has expired may still be answered.
  if (isListed ? row.withdrawn_at !== null : row.is_unlisted_withdrawn) {
    return { verdict: 'withdrawn', row };
  }
  if (Number(expires) * 1_000 <= now.getTime()) return { verdict: 'expired', row };
  if (isListed) await noteSeen(database, row, now);
  return { verdict: 'valid', row };
}

const NO_PAGE = { kind: 'portal' as const, targetId: '' };

/**
 * The row of a link, and whether links of its page that have no row were withdrawn with all of its customer's. One row comes back
 * whatever there is.
 */
async function readRow(
  database: LedgerDatabase,
  linkId: string,
  { kind, targetId }: { kind: LinkKind; targetId: string },
) {
  const target = isStorable(targetId) ? targetId : '';
  const { rows } = await sql<{
    link_id: string | null;
    kind: LinkKind | null;
    target_id: string | null;
    customer_id: string | null;
    user_id: string | null;
    last_seen_at: Date | null;
    withdrawn_at: Date | null;
    is_unlisted_withdrawn: boolean;
  }>`
    select link.link_id, link.kind, link.target_id, link.customer_id, link.user_id, link.last_seen_at, link.withdrawn_at,
      exists (
        select from link_withdrawals where customer_id = case ${kind}::text
          when 'quote' then (select customer_id from quotes where quote_id = ${target})
          when 'statement' then (select customer_id from invoices where invoice_id = ${target})
          else ${target}
        end
      ) as is_unlisted_withdrawn
    from (select) as always left join page_links link on link.link_id = ${linkId}`.execute(database);
  const [row] = rows;
  if (row === undefined) throw new Error('a row that always comes did not');
  return row;
}

/** Postgres stores neither a zero character nor half of a surrogate pair. */
function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

async function noteSeen(
  database: LedgerDatabase,
  { link_id: linkId, last_seen_at: seenAt }: Row,
  now: Date,
): Promise<void> {
  if (linkId === null) return;
  const since = new Date(now.getTime() - SEEN_PRECISION_MS);
  if (seenAt !== null && seenAt > since) return;
  await database
    .updateTable('page_links')
    .set({ last_seen_at: now })
    .where('link_id', '=', linkId)
    .where((is) => is.or([is('last_seen_at', 'is', null), is('last_seen_at', '<=', since)]))
    .execute();
}
