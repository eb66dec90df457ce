import { sql } from 'kysely';
import type { LedgerDatabase, LedgerTransaction } from './database.ts';

/** What was committed when the first statement ran, and nothing that came after: for reading alone. */
export type LedgerSnapshot = LedgerTransaction;

/**
 * Reads all that one answer needs as it was at one instant, over one connection.
 *
 * Isolation and access mode are part of the statement that opens the transaction, so that it is safe behind PgBouncer
 * in transaction mode. It never fails for what others write, and holds up nobody; but while it is open rows that others
 * replaced are kept for it. So ask outside systems, refresh kept sums and work things out before or after, never in it.
 * @throws what `read` throws; Postgres refuses to write in it (25006)
 */
export async function readSnapshot<Result>(
  database: LedgerDatabase,
  read: (snapshot: LedgerSnapshot) => Promise<Result>,
): Promise<Result> {
  return await database
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(read);
}

/**
 * The same for an answer that is sent while it is read. The snapshot ends with the last item, or when whoever reads stops; a
 * reader that stands still for a minute is cut off, because Postgres keeps replaced rows for it meanwhile.
 */
export async function* streamSnapshot<Item>(
  database: LedgerDatabase,
  read: (snapshot: LedgerSnapshot) => AsyncGenerator<Item>,
): AsyncGenerator<Item> {
  const snapshot = await database
    .startTransaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute();
  try {
    await sql`set local idle_in_transaction_session_timeout = '60s'`.execute(snapshot);
    yield* read(snapshot);
  } finally {
    await snapshot.rollback().execute();
  }
}
