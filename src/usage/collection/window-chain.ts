import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { QueryRecipe } from '../../azure/source.ts';
import type { TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';

/**
 * Windows of one source and kind of cursor form a chain in the order of their commit: each has the SHA-256 of the digest
 * before it and of what the window is. Whoever knows a digest can prove every window up to it, from the start or from the
 * checkpoint that retention leaves.
 */

/** What a window adds to its chain. */
export interface ChainedWindow {
  source: string;
  cursorKind: 'ingestion' | 'event';
  window: TimeWindow;
  rowCount: number;
  newRowCount: number;
  usageEventCount: number;
  collectedAt: Date;
  /** Of its recipe. */
  querySha256: Buffer;
}

/** The digest of a window, given that of the one before; the first one has an empty one before it. */
export function chainDigest(previous: Buffer, window: ChainedWindow): Buffer {
  return createHash('sha256').update(previous).update(describeWindow(window), 'utf8').digest();
}

/** As it is hashed. Migrations write the same text: it must stay as it is. */
function describeWindow({ window, ...of }: ChainedWindow): string {
  return [
    of.source,
    of.cursorKind,
    window.start.toISOString(),
    window.end.toISOString(),
    of.rowCount,
    of.newRowCount,
    of.usageEventCount,
    of.collectedAt.toISOString(),
    of.querySha256.toString('hex'),
  ].join('\n');
}

export function hashRecipe({ template, parameters }: QueryRecipe): Buffer {
  return createHash('sha256').update(`${template}\n${parameters}`, 'utf8').digest();
}

const knownQueries = new WeakMap<LedgerDatabase, Map<string, number>>();
/** Parts of a crowded window differ in their parameters; more of them than this are looked up again. */
const KNOWN_LIMIT = 10_000;

/** The ledger's number of a recipe, which many windows share. */
export async function findQueryId(database: LedgerDatabase, recipe: QueryRecipe): Promise<number> {
  const known = knownQueries.get(database) ?? new Map<string, number>();
  knownQueries.set(database, known);
  const digest = hashRecipe(recipe);
  const key = digest.toString('base64');
  const found = known.get(key);
  if (found !== undefined) return found;
  await sql`
    insert into collection_queries (query_sha256, template, parameters)
    select ${digest}::bytea, ${recipe.template}::text, ${recipe.parameters}::text
    where not exists (select 1 from collection_queries where query_sha256 = ${digest}) on conflict do nothing`.execute(
    database,
  );
  const { collection_query_id } = await database
    .selectFrom('collection_queries')
    .select('collection_query_id')
    .where('query_sha256', '=', digest)
    .executeTakeFirstOrThrow();
  if (known.size >= KNOWN_LIMIT) known.clear();
  known.set(key, collection_query_id);
  return collection_query_id;
}

/** Takes the number of a window that is to come, for its items to name. */
export async function takeWindowId(transaction: LedgerTransaction): Promise<bigint> {
  const taken = await sql<{ id: bigint }>`
    select nextval(pg_get_serial_sequence('collection_windows', 'collection_window_id')) as id`.execute(
    transaction,
  );
  const [row] = taken.rows;
  if (row === undefined) throw new RangeError('the sequence of windows gave no number');
  return row.id;
}

/**
 * Adds a window to its chain. The head is held until the transaction ends, so this comes after all that may wait for
 * others: collectors then hardly ever wait here, and the order of the chain is the order of commits.
 */
export async function appendWindow(
  transaction: LedgerTransaction,
  window: ChainedWindow,
  ids: { windowId: bigint; queryId: number },
): Promise<void> {
  const { source, cursorKind, rowCount, newRowCount, usageEventCount, collectedAt } = window;
  const { start, end } = window.window;
  const text = describeWindow(window);
  await sql`
    with head as (
      insert into collection_chains as known (source, cursor_kind, window_count, row_count, new_row_count, reached_until,
        digest, begun_at, begun_from)
      values (${source}, ${cursorKind}, 1, ${rowCount}, ${newRowCount}, ${end}, sha256(convert_to(${text}, 'UTF8')),
        ${collectedAt}, ${start})
      on conflict (source, cursor_kind) do update set
        window_count = known.window_count + 1, row_count = known.row_count + excluded.row_count,
        new_row_count = known.new_row_count + excluded.new_row_count,
        reached_until = greatest(known.reached_until, excluded.reached_until),
        digest = sha256(known.digest || convert_to(${text}, 'UTF8')),
        begun_at = least(known.begun_at, excluded.begun_at), begun_from = least(known.begun_from, excluded.begun_from)
      returning window_count, row_count, new_row_count, reached_until, digest)
    insert into collection_windows (collection_window_id, source, cursor_kind, window_start, window_end, row_count,
      new_row_count, usage_event_count, collected_at, collection_query_id, chain_position, total_row_count,
      total_new_row_count, reached_until, digest)
    overriding system value
    select ${ids.windowId}::bigint, ${source}, ${cursorKind}, ${start}::timestamptz, ${end}::timestamptz, ${rowCount}::integer,
      ${newRowCount}::integer, ${usageEventCount}::integer, ${collectedAt}::timestamptz, ${ids.queryId}::integer,
      window_count, row_count, new_row_count, reached_until, digest from head`.execute(transaction);
}
