import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { sql } from 'kysely';
import { TallystickError } from '../errors.ts';
import type { LedgerDatabase } from './database.ts';

/** Long enough for a pause of the event loop, short enough that a dead runner's work waits only briefly. */
export const LEASE_SECONDS = 8;
const RENEW_EVERY_MS = 2_000;
/** Which process, for the person who looks for it. */
const HOLDER = `${hostname()}:${process.pid}`;

/**
 * Runs `work` while holding the step's lease, so that a step has one runner at a time over all processes.
 * The lease is renewed while the work goes on; when it is lost, `signal` aborts. Lease time is the
 * database's, never the pipeline's clock.
 * @returns the work's result, or null when another runner holds the step
 */
export async function withStepLease<Result>(
  database: LedgerDatabase,
  step: string,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result | null> {
  const token = randomUUID();
  if (!(await claim(database, step, token))) return null;
  const lost = new AbortController();
  let renewing: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    renewing = renew(database, step, token).then(
      (held) => {
        if (!held) {
          lost.abort(
            new TallystickError(`The lease of ${step} was lost.`, { code: 'STALE_LEASE', retry: true }),
          );
        }
      },
      // A failed renewal is tried again at the next tick; the lease outlives several of them.
      () => {},
    );
  }, RENEW_EVERY_MS);
  try {
    return await work(lost.signal);
  } finally {
    clearInterval(timer);
    await renewing;
    await database
      .deleteFrom('step_leases')
      .where('step', '=', step)
      .where('lease_token', '=', token)
      .execute()
      .catch(() => {});
  }
}

async function claim(database: LedgerDatabase, step: string, token: string): Promise<boolean> {
  const claimed = await sql<{ step: string }>`
    insert into step_leases as held (step, lease_token, expires_at, holder, acquired_at)
    values (${step}, ${token}, now() + make_interval(secs => ${LEASE_SECONDS}), ${HOLDER}, now())
    on conflict (step) do update set lease_token = excluded.lease_token, expires_at = excluded.expires_at,
        holder = excluded.holder, acquired_at = excluded.acquired_at
      where held.expires_at < now()
    returning step`.execute(database);
  return claimed.rows.length === 1;
}

/** Never takes a lease that is gone: between our look and now, somebody else may have done the step. */
async function renew(database: LedgerDatabase, step: string, token: string): Promise<boolean> {
  const renewed = await sql`
    update step_leases set expires_at = now() + make_interval(secs => ${LEASE_SECONDS})
    where step = ${step} and lease_token = ${token}`.execute(database);
  return renewed.numAffectedRows === 1n;
}

/** A step that somebody runs, or ran when it died. Ages are by the database's clock, as the leases are. */
export interface StepLease {
  step: string;
  /** Host and process. */
  holder: string;
  ageSeconds: number;
  /** Not renewed in time: its holder is dead or stands still, and the next who asks takes it over. */
  isAbandoned: boolean;
}

export async function readStepLeases(database: LedgerDatabase): Promise<StepLease[]> {
  const rows = await sql<StepLease>`
    select step, holder, extract(epoch from clock_timestamp() - acquired_at)::int as "ageSeconds",
      expires_at < clock_timestamp() as "isAbandoned"
    from step_leases order by step`.execute(database);
  return rows.rows;
}

/**
 * Forgets leases and claims of runners that are known to be dead. Only for the embedded ledger, whose
 * directory lock proves that no other process works on it.
 */
export async function clearAbandonedClaims(database: LedgerDatabase): Promise<void> {
  await database.deleteFrom('step_leases').execute();
  await database
    .updateTable('usage_events')
    .set({ claimed_until: null })
    .where('status', '=', 'pending')
    .where('claimed_until', 'is not', null)
    .execute();
}
