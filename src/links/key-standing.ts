import { allKeys, type LinkKeys } from '../identity/links/keys.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** Living links that were signed by one key. */
interface LinksOfKey {
  linkCount: number;
  /** Of the last of them; null: there is none. */
  lastExpiresAt: Date | null;
}

/** On which key living links hang. */
export interface KeyStanding {
  signing: LinksOfKey;
  previous: LinksOfKey;
  /** Of keys that count no more: they open nothing. */
  gone: LinksOfKey;
}

export async function readKeyStanding(
  database: LedgerDatabase,
  keys: LinkKeys,
  now: Date,
): Promise<KeyStanding> {
  const rows = await database
    .selectFrom('page_links')
    .select(({ fn }) => ['key_id', fn.countAll<bigint>().as('count'), fn.max('expires_at').as('last')])
    .where('withdrawn_at', 'is', null)
    .where('expires_at', '>', now)
    .groupBy('key_id')
    .execute();
  const sumOf = (isIts: (keyId: string) => boolean): LinksOfKey =>
    rows
      .filter((row) => isIts(row.key_id))
      .reduce<LinksOfKey>(
        ({ linkCount, lastExpiresAt }, { count, last }) => ({
          linkCount: linkCount + Number(count),
          lastExpiresAt: lastExpiresAt === null || last > lastExpiresAt ? last : lastExpiresAt,
        }),
        { linkCount: 0, lastExpiresAt: null },
      );
  const known = allKeys(keys).map(({ id }) => id);
  return {
    signing: sumOf((keyId) => keyId === keys.signing.id),
    previous: sumOf((keyId) => keyId === keys.previous?.id),
    gone: sumOf((keyId) => !known.includes(keyId)),
  };
}
