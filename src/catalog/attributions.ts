import { sql } from 'kysely';
import type { CustomerProblem } from '../openmeter/port.ts';
import { addMs, HOUR_MS } from '../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { fieldOf, instantField, namesOf, textField, unnestRows } from '../platform/database/unnest-rows.ts';
import type { AttributedCustomer } from './attribution.ts';

/** Why OpenMeter does not have all users of a customer as subject keys. */
export const ATTRIBUTION_REASONS = [
  'chosen',
  'too_many_subjects',
  'active_subscription',
  'name_taken',
  'refused',
  'failed',
] as const;
export type AttributionReason = (typeof ATTRIBUTION_REASONS)[number];

/** Reasons that may be gone by themselves, or by somebody's hand in OpenMeter: it is tried again. */
const TRIED_AGAIN = new Set<AttributionReason | null>(['name_taken', 'refused', 'failed']);
const FIRST_RETRY_MS = 10 * 60_000;
const LONGEST_RETRY_MS = 6 * HOUR_MS;

interface AttributionRow {
  customerId: string;
  reason: AttributionReason | null;
  detail: string | null;
  since: Date;
  attemptCount: number;
  retryAt: Date | null;
}

/**
 * Keeps how OpenMeter took each customer. What a person chose since `startedAt` is still to be followed.
 * @returns what is to be told: refusals and failures each time that they were tried, everything else once
 */
export async function storeAttributions(
  database: LedgerDatabase,
  tried: { customers: readonly AttributedCustomer[]; problems: readonly CustomerProblem[] },
  { startedAt, now }: { startedAt: Date; now: Date },
): Promise<string[]> {
  return await database.transaction().execute(async (transaction) => {
    const known = await readRows(transaction);
    const problems = new Map(tried.problems.map((problem) => [problem.customerId, problem]));
    const told: string[] = [];
    const rows = tried.customers.flatMap((customer): AttributionRow[] => {
      const { customerId } = customer;
      const before = known.get(customerId);
      const { reason, detail } = outcomeOf(customer, problems.get(customerId));
      const isSame = before !== undefined && before.reason === reason;
      if (detail !== null && reason !== 'chosen' && (!isSame || TRIED_AGAIN.has(reason))) told.push(detail);
      if (isSame && before.detail === detail && before.retryAt === null) return [];
      const chosenAt = before?.retryAt ?? null;
      const isChosenSince = chosenAt !== null && chosenAt > startedAt && chosenAt <= now;
      const attemptCount = isSame ? before.attemptCount + 1 : 1;
      const waitMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attemptCount - 1, 10));
      return [
        {
          customerId,
          reason,
          detail,
          since: isSame ? before.since : now,
          attemptCount: reason === null ? 0 : attemptCount,
          retryAt: isChosenSince ? chosenAt : TRIED_AGAIN.has(reason) ? addMs(now, waitMs) : null,
        },
      ];
    });
    await putRows(transaction, rows);
    return told;
  });
}

/** What OpenMeter said goes before what we meant to do; a subscription says nothing that matters where we withhold. */
function outcomeOf(
  { customerId, withheld, subjectCount }: AttributedCustomer,
  problem: CustomerProblem | undefined,
): { reason: AttributionReason | null; detail: string | null } {
  if (problem !== undefined && (withheld === null || problem.reason !== 'active_subscription')) {
    return { reason: problem.reason, detail: `${problem.message}. ${problem.fix}` };
  }
  if (withheld !== 'too_many_subjects') return { reason: withheld, detail: null };
  return {
    reason: withheld,
    detail: `Customer ${customerId} has ${subjectCount} users, more than OpenMeter gets as subject keys of one customer (OPENMETER_SUBJECTS_MAX). The ledger attributes its usage; billing needs nothing of OpenMeter's customer.`,
  };
}

async function readRows(transaction: LedgerTransaction): Promise<Map<string, AttributionRow>> {
  const rows = await sql<AttributionRow>`
    select customer_id as "customerId", reason, detail, since, attempt_count as "attemptCount", retry_at as "retryAt"
    from customer_attributions`.execute(transaction);
  return new Map(rows.rows.map((row) => [row.customerId, row]));
}

async function putRows(transaction: LedgerTransaction, rows: readonly AttributionRow[]): Promise<void> {
  if (rows.length === 0) return;
  const fields = {
    customer_id: textField<AttributionRow>((row) => row.customerId),
    reason: textField<AttributionRow>((row) => row.reason),
    detail: textField<AttributionRow>((row) => row.detail),
    since: instantField<AttributionRow>((row) => row.since),
    attempt_count: fieldOf<AttributionRow>('integer', (row) => row.attemptCount),
    retry_at: instantField<AttributionRow>((row) => row.retryAt),
  };
  await sql`
    insert into customer_attributions (${namesOf(fields)})
    select * from ${unnestRows('told', rows, fields)}
    on conflict (customer_id) do update
      set reason = excluded.reason, detail = excluded.detail, since = excluded.since,
          attempt_count = excluded.attempt_count, retry_at = excluded.retry_at`.execute(transaction);
}

/** Whether OpenMeter's customers are to be gone through again although none of Stripe's has changed. */
export async function isAttributionDue(database: LedgerDatabase, now: Date): Promise<boolean> {
  const row = await database
    .selectFrom('customer_attributions')
    .select('customer_id')
    .where('retry_at', '<=', now)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** A person chose otherwise: the next tick follows. */
export async function followSoon(
  transaction: LedgerTransaction,
  customerId: string,
  now: Date,
): Promise<void> {
  await transaction
    .insertInto('customer_attributions')
    .values({ customer_id: customerId, reason: null, detail: null, since: now, retry_at: now })
    .onConflict((conflict) => conflict.column('customer_id').doUpdateSet({ retry_at: now }))
    .execute();
}
