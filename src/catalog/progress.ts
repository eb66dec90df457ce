import { sql } from 'kysely';
import { addMs, HOUR_MS } from '../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';

/**
 * How far the catalog has caught up. `whole_listing`: when the last complete listing of Stripe's catalog began.
 * `event_list`: up to when Stripe's own list of events was read. `news`: up to when the catalog has what Stripe told of.
 */
export type CatalogProgress = 'whole_listing' | 'event_list' | 'news';

/**
 * Three synchronizations. What the catalog says of an invoice is believed no longer than that: it may be final by now,
 * and Stripe takes usage for it without a word and never bills it.
 */
export const CATALOG_FRESH = '30 minutes';

/** Null: never. */
export async function readCatalogProgress(
  database: LedgerDatabase,
  name: CatalogProgress,
): Promise<{ position: Date; updatedAt: Date } | null> {
  const row = await database
    .selectFrom('catalog_progress')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirst();
  return row === undefined ? null : { position: row.position, updatedAt: row.updated_at };
}

/** Moves on, never back: of two that ran at a time, the one that began later knows more. */
export async function moveCatalogProgress(
  database: LedgerDatabase | LedgerTransaction,
  name: CatalogProgress,
  progress: { position: Date; now: Date },
): Promise<void> {
  await sql`
    insert into catalog_progress as known (name, position, updated_at) values (${name}, ${progress.position}, ${progress.now})
    on conflict (name) do update set position = greatest(known.position, excluded.position), updated_at = excluded.updated_at`.execute(
    database,
  );
}

/** While a webhook came within so long, webhooks are heard, and the list of events is only a check on them. */
export const HEARD_WITHIN_MS = HOUR_MS;

/** Up to when the catalog has what Stripe told of, as `news.position`; no row before the first refresh. */
const NEWS = sql.raw(`(
  select greatest(news.position, listing.position) as position
  from catalog_progress news left join catalog_progress listing on listing.name = 'whole_listing'
  where news.name = 'news') news`);

const isOld = (position: string, now: Date) =>
  sql<boolean>`${sql.ref(position)} < ${now}::timestamptz - ${CATALOG_FRESH}::interval`;

/**
 * Notes that the catalog has all that Stripe told of until now; while no webhook is heard, until the list of events was last
 * read.
 * @returns whether that ends a silence, which usage waited out; see `readCatalogSilence`
 */
export async function noteNewsTaken(database: LedgerDatabase, now: Date): Promise<boolean> {
  const rows = await sql<{ endsSilence: boolean }>`
    with before as (select position from ${NEWS})
    insert into catalog_progress as known (name, position, updated_at)
    select 'news', case when exists (
        select from webhook_events where provider = 'stripe' and arrived_by = 'webhook'
          and received_at > ${addMs(now, -HEARD_WITHIN_MS)})
      then ${now}::timestamptz else max(position) end, ${now}
    from catalog_progress where name in ('event_list', 'whole_listing') having count(*) > 0
    on conflict (name) do update set position = greatest(known.position, excluded.position), updated_at = excluded.updated_at
    returning not (${isOld('known.position', now)}) and exists (
      select from before where ${isOld('before.position', now)}) as "endsSilence"`.execute(database);
  return rows.rows[0]?.endsSilence ?? false;
}

/**
 * Since when the catalog has heard nothing from Stripe, where that is too long to believe what it says of running periods:
 * each may have been ended early since, and its invoice be final. Null: it is believed, as it is before the first refresh,
 * which a whole listing precedes at once.
 */
export async function readCatalogSilence(database: LedgerDatabase, now: Date): Promise<Date | null> {
  const rows = await sql<{ since: Date }>`
    select position as since from ${NEWS} where ${isOld('news.position', now)}`.execute(database);
  return rows.rows[0]?.since ?? null;
}
