import { sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { readRatedGroups } from '../rated-groups.ts';
import type { UninvoicedGroup } from './groups.ts';

/** Nulls: nothing tells the price of all of it. */
export interface UsageAmount {
  amountMinor: bigint | null;
  currency: string | null;
}

const UNKNOWN: UsageAmount = { amountMinor: null, currency: null };

/** What a group would come to as items of the next invoice; what an item or a credit has of it is left out. */
export async function readUninvoicedAmount(
  database: LedgerDatabase,
  { uninvoicedId }: UninvoicedGroup,
): Promise<UsageAmount> {
  const rows = await sql<{ id: string; tokenCount: bigint }>`
    select hourly_usage_id::text as id, delta_token_count as "tokenCount" from hourly_usage
    where uninvoiced_id = ${String(uninvoicedId)}::bigint and late_item_id is null and credit_proposal_id is null
      and written_off_at is null`.execute(database);
  const groups = await readRatedGroups(
    database,
    rows.rows.map(({ id }) => id),
  );
  const [first] = groups;
  const sum = (of: readonly { tokenCount: bigint }[]) =>
    of.reduce((total, one) => total + one.tokenCount, 0n);
  const isWhole = first !== undefined && sum(groups) === sum(rows.rows);
  if (!isWhole || groups.some(({ currency }) => currency !== first.currency)) return UNKNOWN;
  let amountMinor = 0n;
  for (const group of groups) {
    if (group.amountMinor === null) return UNKNOWN;
    amountMinor += group.amountMinor;
  }
  return { amountMinor, currency: first.currency };
}
