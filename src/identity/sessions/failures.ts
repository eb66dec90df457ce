import { sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';

/** Failed tries that one source has in five minutes. A key is not to be guessed; this keeps the log and the ledger quiet. */
export const FAILURES_PER_WINDOW = 20;
const WINDOW_SECONDS = 300;

const WINDOW_START = sql<Date>`to_timestamp(floor(extract(epoch from now()) / ${WINDOW_SECONDS}) * ${WINDOW_SECONDS})`;

/** Whether a source has used up its tries for now. */
export async function hasFailedTooOften(database: LedgerDatabase, source: string): Promise<boolean> {
  const row = await database
    .selectFrom('console_sign_in_failures')
    .select('failed_count')
    .where('source', '=', source)
    .where('window_start', '=', WINDOW_START)
    .executeTakeFirst();
  return (row?.failed_count ?? 0) >= FAILURES_PER_WINDOW;
}

/** Counts a failed try, and forgets those of earlier windows. */
export async function noteFailure(database: LedgerDatabase, source: string): Promise<void> {
  await database.deleteFrom('console_sign_in_failures').where('window_start', '<', WINDOW_START).execute();
  await database
    .insertInto('console_sign_in_failures')
    .values({ source, window_start: WINDOW_START, failed_count: 1 })
    .onConflict((conflict) =>
      conflict
        .columns(['source', 'window_start'])
        .doUpdateSet({ failed_count: sql`console_sign_in_failures.failed_count + 1` }),
    )
    .execute();
}
