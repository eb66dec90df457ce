import { chargeLateUsage } from '../../pricing/invoices/late-usage.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { groupLateRows, type LateGroup } from './late-groups.ts';
import { readTopUpsLeft } from './minimums.ts';

/** What an item for late usage would charge; null: nothing tells its price. */
export type RatedGroup = LateGroup & { amountMinor: bigint | null };

/** Groups as items would bill them, whichever invoice takes them up; a sum below zero is none, and is taken off what comes later. */
export async function readRatedGroups(
  database: LedgerDatabase,
  hourlyUsageIds: readonly string[],
): Promise<RatedGroup[]> {
  const groups = await groupLateRows(database, hourlyUsageIds);
  const invoices = groups.map(({ subscriptionIds, currency }) => ({
    subscriptionId: subscriptionIds[0] ?? '',
    currency,
  }));
  const charged = chargeLateUsage(groups, invoices, await readTopUpsLeft(database, groups));
  const charges = new Map(charged.map(({ usage, charge }) => [usage, charge.amountMinor]));
  return groups.map((group) => ({
    ...group,
    amountMinor: charges.get(group) ?? (group.tokenCount > 0n ? null : 0n),
  }));
}
