import { sql } from 'kysely';
import type { SegmentTokens } from '../../pricing/accruals/meters.ts';
import type { BilledSpan } from '../../pricing/accruals/span.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';
import { IS_COLLECTION } from '../usage/collection/watermarks.ts';
import { type LateUsage, readCarriedForAccrual, readCreditedUsage, readLateItemUsage } from './late.ts';
import { readSpans } from './spans.ts';
import { readMeterTokens } from './tokens.ts';
import { type FixedLine, readFixedLines, readWaitingTokens, type WaitingTokens } from './waiting.ts';

/** All that some customers' rows rest on. */
export interface AccrualMaterial {
  spans: readonly BilledSpan[];
  meterTokens: readonly SegmentTokens[];
  late: readonly LateUsage[];
  fixedLines: readonly FixedLine[];
  waiting: readonly WaitingTokens[];
}

/** Reads all of it, of these customers. @param customerIds the empty text: subjects of no customer */
export async function gatherAccruals(
  snapshot: LedgerSnapshot,
  customerIds: readonly string[],
  window: TimeWindow,
): Promise<AccrualMaterial> {
  const spans = await readSpans(snapshot, customerIds, window);
  return {
    spans,
    meterTokens: await readMeterTokens(snapshot, customerIds, { spans, window }),
    late: [
      ...(await readLateItemUsage(snapshot, customerIds, window)),
      ...(await readCarriedForAccrual(snapshot, customerIds, window)),
      ...(await readCreditedUsage(snapshot, customerIds, window)),
    ],
    fixedLines: await readFixedLines(snapshot, customerIds, window),
    waiting: await readWaitingTokens(snapshot, customerIds, window),
  };
}

/** The next customers by id, after those of no customer at all. */
export async function readCustomerIds(
  snapshot: LedgerSnapshot,
  after: string | null,
  limit: number,
): Promise<string[]> {
  const rows = await sql<{ customerId: string }>`
    select customer_id as "customerId" from (select '' as customer_id union all select customer_id from customers) known
    where ${after}::text is null or customer_id > ${after} order by 1 limit ${limit}`.execute(snapshot);
  return rows.rows.map((row) => row.customerId);
}

/**
 * Up to when usage is known and settled: the end of the newest settled hour, and of the hours after it that were collected and in
 * which nobody used anything. Null: nothing is settled.
 */
export async function readSettledThrough(database: LedgerDatabase): Promise<Date | null> {
  const rows = await sql<{ at: Date | null }>`
    with settled as (
      select max(window_start) + interval '1 hour' as until from settlements where status = 'settled'),
    quiet as (
      select least(
        (select date_trunc('hour', min(position), 'UTC') from watermarks where ${IS_COLLECTION}),
        (select min(window_start) from settlements, settled where status = 'open' and window_start >= settled.until)) as until)
    select case when settled.until is not null then greatest(settled.until, quiet.until) end as at from settled, quiet`.execute(
    database,
  );
  return rows.rows[0]?.at ?? null;
}

/** Hours of before an instant whose usage is not settled yet. */
export async function countOpenHours(snapshot: LedgerSnapshot, at: Date): Promise<bigint> {
  const rows = await sql<{ count: bigint }>`
    select count(*) as count from settlements where status = 'open' and window_start < ${at}`.execute(
    snapshot,
  );
  return rows.rows[0]?.count ?? 0n;
}
