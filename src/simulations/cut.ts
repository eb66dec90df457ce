import { sql } from 'kysely';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';

const KEY = sql<bigint>`hashtextextended('simulation|' || simulation_id, 0)`;

/** Holds a simulation until the transaction ends, however it ends: whoever is killed lets it go. */
export async function holdSimulation(transaction: LedgerTransaction, simulationId: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(${KEY}) from (values (${simulationId}::text)) as held (simulation_id)`.execute(
    transaction,
  );
}

/** Ends those that are said to run and that nobody holds: a restart or a crash cut them, and nothing of them is stored. */
export async function failCutSimulations(database: LedgerDatabase, now: Date): Promise<string[]> {
  // A key of 64 bits stands in pg_locks as its halves.
  const { rows } = await sql<{ simulation_id: string }>`
    update simulations set status = 'failed', last_error = 'ABANDONED', finished_at = ${now}
    where status = 'running' and not exists (
      select 1 from pg_locks
      where locktype = 'advisory' and objsubid = 1 and granted
        and database = (select oid from pg_database where datname = current_database())
        and ((classid::bigint << 32) | objid::bigint) = ${KEY})
    returning simulation_id`.execute(database);
  return rows.map((row) => row.simulation_id);
}
