import { sql } from 'kysely';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';

/** What an installation has, as its ledger knows it. */
export interface Installation {
  hasCollected: boolean;
  hasUsage: boolean;
  hasCustomers: boolean;
  hasBindings: boolean;
  hasPlans: boolean;
  hasSettled: boolean;
}

export async function gatherInstallation(snapshot: LedgerSnapshot): Promise<Installation> {
  const { rows } = await sql<Installation>`select
    exists (select 1 from watermarks) as "hasCollected",
    exists (select 1 from usage_events) as "hasUsage",
    exists (select 1 from customers where deleted_at is null) as "hasCustomers",
    exists (select 1 from meter_bindings) as "hasBindings",
    exists (select 1 from subscription_items where active) as "hasPlans",
    exists (select 1 from settlements where status = 'settled') as "hasSettled"`.execute(snapshot);
  return (
    rows[0] ?? {
      hasCollected: false,
      hasUsage: false,
      hasCustomers: false,
      hasBindings: false,
      hasPlans: false,
      hasSettled: false,
    }
  );
}

/** Whether there is nothing to look at yet. */
export function isEmpty({ hasUsage, hasCustomers }: Installation): boolean {
  return !hasUsage && !hasCustomers;
}
