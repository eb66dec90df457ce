import { sql } from 'kysely';
import type { KnownLink } from '../identity/links/links.ts';
import type { LinkKind } from '../identity/links/signature.ts';
import { camelRow } from '../platform/database/camel-row.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

export const LINK_STATES = ['living', 'expired', 'withdrawn'] as const;
export type LinkState = (typeof LINK_STATES)[number];

/** What a list is narrowed to. */
export interface LinkFilter {
  kind?: LinkKind | undefined;
  customerId?: string | undefined;
  state?: LinkState | undefined;
  /** By which links expire. */
  now: Date;
}

/** The place in the list after which it goes on. */
export type LinkPlace = Pick<KnownLink, 'madeAt' | 'linkId'>;

function selectLinks(database: LedgerDatabase, { kind, customerId, state, now }: LinkFilter) {
  let select = database.selectFrom('page_links');
  if (kind !== undefined) select = select.where('kind', '=', kind);
  if (customerId !== undefined) select = select.where('customer_id', '=', customerId);
  if (state !== undefined)
    select = select.where('withdrawn_at', state === 'withdrawn' ? 'is not' : 'is', null);
  if (state === 'living') select = select.where('expires_at', '>', now);
  if (state === 'expired') select = select.where('expires_at', '<=', now);
  return select;
}

/** Links, the newest first. @param page `after`: the last of the page before, or how many to pass over */
export async function listLinks(
  database: LedgerDatabase,
  filter: LinkFilter,
  page: { after?: LinkPlace | null; offset?: number; limit: number },
): Promise<KnownLink[]> {
  let select = selectLinks(database, filter).selectAll();
  const { after = null, offset = 0, limit } = page;
  if (after !== null) {
    select = select.where(sql<boolean>`(made_at, link_id) < (${after.madeAt}::timestamptz, ${after.linkId})`);
  }
  const rows = await select
    .orderBy('made_at', 'desc')
    .orderBy('link_id', 'desc')
    .offset(offset)
    .limit(limit)
    .execute();
  return rows.map(camelRow);
}

export async function countLinks(database: LedgerDatabase, filter: LinkFilter): Promise<number> {
  const row = await selectLinks(database, filter)
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

export function stateOf({ withdrawnAt, expiresAt }: KnownLink, now: Date): LinkState {
  if (withdrawnAt !== null) return 'withdrawn';
  return expiresAt > now ? 'living' : 'expired';
}
