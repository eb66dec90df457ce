import type Stripe from 'stripe';
import type { CreditGrant } from '../../pricing/invoices/credits.ts';
import type { CreditBalance } from './port.ts';
import { type RetryPolicy, withRetry } from './retry.ts';

/** What Stripe takes where a grant says nothing. */
const DEFAULT_PRIORITY = 50;

/**
 * Every grant of billing credits of a customer, used up ones too.
 * @throws UpstreamError, also where the key may not read them
 */
export async function listCreditGrants(
  stripe: Stripe,
  policy: RetryPolicy,
  stripeCustomerId: string,
  signal?: AbortSignal,
): Promise<CreditGrant[]> {
  const grants = await withRetry(
    policy,
    { action: 'list credit grants', writes: false, context: { customer: stripeCustomerId } },
    async () => {
      const found: Stripe.Billing.CreditGrant[] = [];
      for await (const grant of stripe.billing.creditGrants.list({ customer: stripeCustomerId, limit: 100 }))
        found.push(grant);
      return found;
    },
    signal,
  );
  // Newest first as they come; of one second the older one is used up first.
  return grants.reverse().map((grant) => {
    const { prices } = grant.applicability_config.scope;
    return {
      grantId: grant.id,
      // Of another kind than money there is none yet; such a one would be for no invoice.
      currency: grant.amount.monetary?.currency ?? '',
      priority: grant.priority ?? DEFAULT_PRIORITY,
      isPromotional: grant.category === 'promotional',
      effectiveAt: new Date((grant.effective_at ?? grant.created) * 1_000),
      expiresAt: grant.expires_at === null ? null : new Date(grant.expires_at * 1_000),
      createdAt: new Date(grant.created * 1_000),
      isVoided: grant.voided_at !== null,
      priceIds: prices === undefined ? null : prices.flatMap(({ id }) => id ?? []),
    };
  });
}

/** See BillingSystem.readCreditBalance. */
export async function readCreditBalance(
  stripe: Stripe,
  policy: RetryPolicy,
  query: { stripeCustomerId: string; currency: string; grantId: string | null },
  signal?: AbortSignal,
): Promise<CreditBalance> {
  const { stripeCustomerId: customer, currency, grantId } = query;
  const { balances } = await withRetry(
    policy,
    { action: 'read a balance of billing credits', writes: false, context: { customer, grant: grantId } },
    () =>
      stripe.billing.creditBalanceSummaries.retrieve({
        customer,
        filter:
          grantId === null
            ? { type: 'applicability_scope', applicability_scope: { price_type: 'metered' } }
            : { type: 'credit_grant', credit_grant: grantId },
      }),
    signal,
  );
  const minorOf = (money: Stripe.Billing.CreditGrant.Amount | undefined) =>
    BigInt(money?.monetary?.value ?? 0);
  const own = balances.find(({ ledger_balance: { monetary } }) => monetary?.currency === currency);
  return { ledgerMinor: minorOf(own?.ledger_balance), availableMinor: minorOf(own?.available_balance) };
}
