import { camelRow } from '../../platform/database/camel-row.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import type { ApiDependencies } from '../../platform/http/dependencies.ts';
import { randomText } from '../../platform/random-text.ts';
import { allKeys, type LinkKeys, readLinkKeys } from './keys.ts';
import { type LinkKind, signLink } from './signature.ts';

/** A link that is kept. Its address is signed anew whenever it is told. */
export interface KnownLink {
  linkId: string;
  kind: LinkKind;
  targetId: string;
  customerId: string | null;
  userId: string | null;
  keyId: string;
  expiresAt: Date;
  madeBy: string;
  madeAt: Date;
  lastSeenAt: Date | null;
  withdrawnAt: Date | null;
  withdrawnBy: string | null;
}

export interface NewLink {
  kind: LinkKind;
  targetId: string;
  customerId: string | null;
  userId?: string | null;
  expiresAt: Date;
  /** Who makes it, as the audit log names them. */
  madeBy: string;
}

type LinkDependencies = Pick<ApiDependencies, 'database' | 'clock' | 'settings'>;

/** Makes a link. @param within a transaction that it becomes part of */
export async function makeLink(
  dependencies: LinkDependencies,
  link: NewLink,
  within: LedgerTransaction | null = null,
): Promise<{ linkId: string; query: string; expiresAt: Date }> {
  const keys = await readLinkKeys(dependencies);
  const row = rowOf(link, keys, dependencies.clock.now(), false);
  await (within ?? dependencies.database).insertInto('page_links').values(row).execute();
  return { linkId: row.link_id, query: queryOf(keys, camelRow(row)), expiresAt: row.expires_at };
}

/**
 * Sees to it that there is the one link of a target that is told again and again: at the first telling it is made, by one of
 * several that tell it at once. One that was withdrawn is not made again.
 */
export async function ensureStandingLink(dependencies: LinkDependencies, link: NewLink): Promise<KnownLink> {
  const { database, clock } = dependencies;
  const keys = await readLinkKeys(dependencies);
  await database
    .insertInto('page_links')
    .values(rowOf(link, keys, clock.now(), true))
    .onConflict((conflict) =>
      conflict.columns(['kind', 'target_id']).where('is_standing', '=', true).doNothing(),
    )
    .execute();
  const known = await findStandingLink(database, link);
  if (known === null) throw new Error('a link that was made is not there');
  if (isSignedBy(keys, known)) return known;
  // What was sent opens no more; what is told from now on is signed by the present key.
  const { id: keyId } = keys.signing;
  const told = database.updateTable('page_links').set({ key_id: keyId });
  await told.where('link_id', '=', known.linkId).execute();
  return { ...known, keyId };
}

/** Makes a link that is told from now on; the one that was told before stays what it is. */
export async function replaceStandingLink(
  dependencies: LinkDependencies,
  transaction: LedgerTransaction,
  link: NewLink,
): Promise<KnownLink> {
  const row = rowOf(link, await readLinkKeys(dependencies), dependencies.clock.now(), true);
  await transaction
    .updateTable('page_links')
    .set({ is_standing: false })
    .where('kind', '=', link.kind)
    .where('target_id', '=', link.targetId)
    .where('is_standing', '=', true)
    .execute();
  return camelRow(
    await transaction.insertInto('page_links').values(row).returningAll().executeTakeFirstOrThrow(),
  );
}

/** The link of a target that is told again and again, withdrawn or not; null: none was made. */
export async function findStandingLink(
  database: LedgerDatabase,
  { kind, targetId }: { kind: LinkKind; targetId: string },
): Promise<KnownLink | null> {
  const row = await database
    .selectFrom('page_links')
    .selectAll()
    .where('kind', '=', kind)
    .where('target_id', '=', targetId)
    .where('is_standing', '=', true)
    .executeTakeFirst();
  return row === undefined ? null : camelRow(row);
}

/** `expires`, `signature` and `link` of a link, by the key that signed it first; by the present one where that is gone. */
export function queryOf(
  keys: LinkKeys,
  link: Pick<KnownLink, 'kind' | 'targetId' | 'expiresAt' | 'linkId' | 'keyId'>,
): string {
  const key = allKeys(keys).find(({ id }) => id === link.keyId) ?? keys.signing;
  const { kind, targetId, linkId } = link;
  const expires = String(Math.floor(link.expiresAt.getTime() / 1_000));
  return signLink(key, { kind, targetId, expires, linkId });
}

/** Whether what was sent of a link still counts. */
export function isSignedBy(keys: LinkKeys, { keyId }: Pick<KnownLink, 'keyId'>): boolean {
  return allKeys(keys).some(({ id }) => id === keyId);
}

function rowOf(link: NewLink, keys: LinkKeys, now: Date, isStanding: boolean) {
  return {
    link_id: `lnk_${randomText(16)}`,
    kind: link.kind,
    target_id: link.targetId,
    customer_id: link.customerId,
    user_id: link.userId ?? null,
    is_standing: isStanding,
    key_id: keys.signing.id,
    // Signed in whole seconds.
    expires_at: new Date(Math.floor(link.expiresAt.getTime() / 1_000) * 1_000),
    made_by: link.madeBy,
    made_at: now,
  };
}
