import type { BillingAccount } from '../account.ts';
import { linesAt } from './fate.ts';

/** What drafts of a customer would use of each grant of billing credits, as they stand at an instant. */
export function creditClaims(
  account: BillingAccount,
  customerId: string,
  nowMs: number,
): ReadonlyMap<string, bigint> {
  const claims = new Map<string, bigint>();
  for (const invoice of account.state.invoices.values()) {
    if (invoice.customerId !== customerId || invoice.wire.status !== 'draft') continue;
    linesAt(account, invoice, nowMs, ({ grantId, amount }) => {
      claims.set(grantId, (claims.get(grantId) ?? 0n) + amount);
      return null;
    });
  }
  return claims;
}
