import { type RawBuilder, sql } from 'kysely';
import type { LedgerSnapshot } from './snapshot.ts';

const BATCH_SIZE = 1_000;

/**
 * The rows of one query, read once from beginning to end, some at a time: memory does not grow with them, and no part is
 * worked out twice. By a cursor of the snapshot's own transaction, so that it is safe behind PgBouncer in transaction mode.
 */
export async function* readInBatches<Row>(
  snapshot: LedgerSnapshot,
  query: RawBuilder<Row>,
): AsyncGenerator<Row[]> {
  await sql`declare batches no scroll cursor for ${query}`.execute(snapshot);
  try {
    for (;;) {
      const { rows } = await sql<Row>`fetch ${sql.lit(BATCH_SIZE)} from batches`.execute(snapshot);
      if (rows.length > 0) yield rows;
      if (rows.length < BATCH_SIZE) return;
    }
  } finally {
    await closeQuietly(snapshot);
  }
}

/** A transaction that failed has no cursor any more, and its own error says why. */
async function closeQuietly(snapshot: LedgerSnapshot): Promise<void> {
  try {
    await sql`close batches`.execute(snapshot);
  } catch {
    return;
  }
}
