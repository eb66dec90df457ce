import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { UpstreamError } from '../platform/errors.ts';

/**
 * `routine`: a sample; `doubt`: something gave reason to look; `preview`: a person wants to see an invoice; `close`: an
 * invoice is closed.
 */
export type ReadPurpose = 'routine' | 'doubt' | 'preview' | 'close';

/** Whose pages ask, and how many reads of a day they may cost. */
export interface CustomerShare {
  customerId: string;
  limitPerDay: number;
}

/**
 * Takes reads, one unless told otherwise, out of the day's budget before they are made: a crash may waste them, never
 * exceed it.
 * @param take `ofCustomer`: then out of that customer's own budget, too
 * @returns false when a budget of that UTC day has not so many left
 */
export async function takeStripeRead(
  database: LedgerDatabase,
  take: {
    purpose: ReadPurpose;
    now: Date;
    limitPerDay: number;
    readCount?: number;
    ofCustomer?: CustomerShare | undefined;
  },
): Promise<boolean> {
  const { readCount = 1, ofCustomer } = take;
  if (take.limitPerDay < readCount) return false;
  const day = take.now.toISOString().slice(0, 10);
  if (ofCustomer !== undefined && !(await takeOfCustomer(database, ofCustomer, { day, readCount })))
    return false;
  const taken = await sql`
    insert into stripe_reads as known (read_on, purpose, read_count)
    values (${day}::date, ${take.purpose}, ${readCount})
    on conflict (read_on, purpose) do update set read_count = known.read_count + ${readCount}
      where known.read_count + ${readCount} <= ${take.limitPerDay}`.execute(database);
  return (taken.numAffectedRows ?? 0n) === 1n;
}

async function takeOfCustomer(
  database: LedgerDatabase,
  { customerId, limitPerDay }: CustomerShare,
  { day, readCount }: { day: string; readCount: number },
): Promise<boolean> {
  if (limitPerDay < readCount) return false;
  const taken = await sql`
    insert into customer_stripe_reads as known (customer_id, read_on, read_count)
    values (${customerId}, ${day}::date, ${readCount})
    on conflict (customer_id) do update set read_on = excluded.read_on,
      read_count = excluded.read_count + case when known.read_on = excluded.read_on then known.read_count else 0 end
      where known.read_on <> excluded.read_on or known.read_count + excluded.read_count <= ${limitPerDay}`.execute(
    database,
  );
  return (taken.numAffectedRows ?? 0n) === 1n;
}

/**
 * Makes the calls for which reads were taken. When nobody answers, which is how an outage looks, the reads are given back:
 * else it would use up the day's budget, and what waits for a read would wait for the next day.
 * @throws what `call` throws
 */
export async function refundUnanswered<Answer>(
  database: LedgerDatabase,
  taken: { purpose: ReadPurpose; now: Date; readCount?: number },
  call: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof UpstreamError && error.retry && error.statusCode === undefined) {
      await sql`
        update stripe_reads set read_count = read_count - ${taken.readCount ?? 1}
        where read_on = ${taken.now.toISOString().slice(0, 10)}::date and purpose = ${taken.purpose}
          and read_count >= ${taken.readCount ?? 1}`.execute(database);
    }
    throw error;
  }
}

/** Reads of the UTC day that holds `now`. */
export async function countStripeReads(
  database: LedgerDatabase,
  purpose: ReadPurpose,
  now: Date,
): Promise<number> {
  const row = await database
    .selectFrom('stripe_reads')
    .select('read_count')
    .where('read_on', '=', now.toISOString().slice(0, 10))
    .where('purpose', '=', purpose)
    .executeTakeFirst();
  return row?.read_count ?? 0;
}

/** Counts reads that must be made whatever they cost: each invoice is read to be closed. */
export async function noteStripeReads(
  database: LedgerDatabase,
  note: { purpose: ReadPurpose; now: Date; readCount: number },
): Promise<void> {
  await takeStripeRead(database, { ...note, limitPerDay: 2_000_000_000 });
}
