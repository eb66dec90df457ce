import { sql } from 'kysely';
import type { TokenType } from '../../pricing/usage/shape.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { CARRY_TO_NEXT_INVOICE } from './meter-pushes.ts';

/** Usage that its own period's invoice cannot hold any more, as one item of the next invoice may name it. */
export interface CarriedUsage {
  model: string;
  feature: string;
  tokenType: TokenType;
  /** Why: `period_finalized` or `older_than_stripe_takes`. */
  cause: string;
  /** When it was used: from its first hour to the end of its last. */
  usedIn: TimeWindow;
  tokenCount: bigint;
}

/**
 * What waits for a customer's next invoice, by model, feature, token type and cause. Each row of the ledger is in it
 * until something bills or gives it up, and no push ever carries it: so it is billed once.
 */
export async function readCarriedUsage(
  database: LedgerDatabase,
  customerId: string,
): Promise<CarriedUsage[]> {
  const rows = await sql<Omit<CarriedUsage, 'usedIn'> & { start: Date; end: Date }>`
    select model, feature, token_type as "tokenType", coalesce(quarantine_detail, '') as cause,
      min(window_start) as start, max(window_start) + interval '1 hour' as end, sum(delta_token_count)::bigint as "tokenCount"
    from hourly_usage
    where quarantine_reason = ${CARRY_TO_NEXT_INVOICE} and written_off_at is null and meter_push_id is null
      and late_item_id is null and credit_proposal_id is null
      and customer_id = ${customerId}
    group by 1, 2, 3, 4 having sum(delta_token_count) <> 0
    order by 1, 2, 3, 4`.execute(database);
  return rows.rows.map(({ start, end, ...row }) => ({ ...row, usedIn: { start, end } }));
}
