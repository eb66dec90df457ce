import { sql } from 'kysely';
import {
  type CloseCollection,
  isChained,
  type RecordedCollection,
} from '../../pricing/closing/collection.ts';
import type { QueryRecipe } from '../azure/source.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';
import type { ChainedWindow } from '../usage/collection/window-chain.ts';
import { getCertificate } from './certificates.ts';

/** A window as it was committed, with what was asked. */
export interface CollectedWindow extends Omit<ChainedWindow, 'querySha256'> {
  windowId: bigint;
  position: bigint;
  recipe: QueryRecipe;
  digest: Buffer;
}

/** What a certificate says of the windows that it rests on. */
export interface Certified {
  invoiceId: string;
  /** Of format 1: the windows are those of this period. */
  periodStart: Date;
  periodEnd: Date;
  collection: CloseCollection | RecordedCollection;
}

/** Where a page of windows goes on: a chain of the certificate and a position; of format 1 the number of a window. */
export interface WindowCursor {
  chain: number;
  after: bigint;
}

/** @throws TallystickError NOT_FOUND when the invoice has no certificate */
export async function readCertified(database: LedgerDatabase, invoiceId: string): Promise<Certified> {
  const { content } = await getCertificate(database, invoiceId);
  const { period, collection } = JSON.parse(content) as {
    period: { start: string; end: string };
    collection: Certified['collection'];
  };
  return {
    invoiceId,
    periodStart: new Date(period.start),
    periodEnd: new Date(period.end),
    collection,
  };
}

/** The certified windows that the ledger still has, in the order in which they are proven. */
export async function readCertifiedWindows(
  database: LedgerDatabase,
  certified: Certified,
  page: { from: WindowCursor; limit: number },
): Promise<{ chain: number; window: CollectedWindow }[]> {
  const { collection } = certified;
  const { from, limit } = page;
  if (!isChained(collection)) {
    const { source } = collection;
    const which = sql<boolean>`w.source = ${source} and w.window_end > ${certified.periodStart}
      and (w.cursor_kind = 'ingestion' or w.window_start < ${certified.periodEnd}) and w.collection_window_id > ${from.after}`;
    const windows = await selectWindows(database, which, 'collection_window_id', limit);
    return windows.map((window) => ({ chain: 0, window }));
  }
  const found: { chain: number; window: CollectedWindow }[] = [];
  for (let index = from.chain; index < collection.chains.length && found.length < limit; index += 1) {
    const chain = collection.chains[index];
    if (chain === undefined) throw new RangeError(`there is no chain ${index}`);
    const first = BigInt(chain.firstPosition) - 1n;
    const after = index === from.chain && from.after > first ? from.after : first;
    const which = sql<boolean>`w.source = ${chain.source} and w.cursor_kind = ${chain.by}
      and w.chain_position > ${after} and w.chain_position <= ${BigInt(chain.lastPosition)}`;
    const windows = await selectWindows(database, which, 'chain_position', limit - found.length);
    for (const window of windows) found.push({ chain: index, window });
  }
  return found;
}

async function selectWindows(
  database: LedgerDatabase,
  which: ReturnType<typeof sql<boolean>>,
  order: 'collection_window_id' | 'chain_position',
  limit: number,
): Promise<CollectedWindow[]> {
  const rows = await database
    .selectFrom('collection_windows as w')
    .innerJoin('collection_queries as q', 'q.collection_query_id', 'w.collection_query_id')
    .selectAll('w')
    .select(['q.template', 'q.parameters'])
    .where(which)
    .orderBy(`w.${order}`)
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    windowId: row.collection_window_id,
    position: row.chain_position,
    source: row.source,
    cursorKind: row.cursor_kind,
    window: { start: row.window_start, end: row.window_end },
    rowCount: row.row_count,
    newRowCount: row.new_row_count,
    usageEventCount: row.usage_event_count,
    collectedAt: row.collected_at,
    recipe: { template: row.template, parameters: row.parameters },
    digest: row.digest,
  }));
}

/** How far a chain's windows are gone, and what they end in. */
export interface ChainCheckpoint {
  source: string;
  by: 'ingestion' | 'event';
  droppedCount: bigint;
  droppedDigest: Buffer;
  droppedUntil: Date | null;
}

export async function readCheckpoints(database: LedgerDatabase): Promise<ChainCheckpoint[]> {
  const rows = await database
    .selectFrom('collection_chains')
    .select(['source', 'cursor_kind', 'dropped_count', 'dropped_digest', 'dropped_until'])
    .execute();
  return rows.map((row) => ({
    source: row.source,
    by: row.cursor_kind,
    droppedCount: row.dropped_count,
    droppedDigest: row.dropped_digest,
    droppedUntil: row.dropped_until,
  }));
}

/**
 * The digest on which a position of a chain follows.
 * @throws TallystickError DRIFT when the window before it is missing, and was not dropped by retention
 */
export async function readDigestBefore(
  database: LedgerDatabase,
  { source, by, droppedCount, droppedDigest }: ChainCheckpoint,
  position: bigint,
): Promise<Buffer> {
  if (position - 1n <= droppedCount) return droppedDigest;
  const row = await database
    .selectFrom('collection_windows')
    .select('digest')
    .where('source', '=', source)
    .where('cursor_kind', '=', by)
    .where('chain_position', '=', position - 1n)
    .executeTakeFirst();
  if (row !== undefined) return row.digest;
  throw new TallystickError(`Window ${position - 1n} of ${source} by ${by} is missing.`, {
    code: 'DRIFT',
    retry: false,
    fix: 'The ledger was changed by hand; restore it from a backup.',
  });
}
