import { refuseParameter } from '../http/refusal.ts';
import { toSeconds, type WireCreditGrant, type WireCreditTransaction } from '../http/wire.ts';
import type { StripeState } from '../state.ts';
import type { CreditTerms } from './adjust.ts';

/** "Customers can have up to 100 unused credit grants at a time." */
const MAX_UNUSED_GRANTS = 100;

export type NewCreditGrant = Pick<
  WireCreditGrant,
  | 'amount'
  | 'applicability_config'
  | 'category'
  | 'effective_at'
  | 'expires_at'
  | 'metadata'
  | 'name'
  | 'priority'
> & { customerId: string };

/** @throws StripeRefusal beyond the number of unused grants */
export function newCreditGrant(state: StripeState, input: NewCreditGrant, atMs: number): WireCreditGrant {
  const { customerId, ...given } = input;
  const unused = grantsOf(state, customerId).filter((grant) => isUnused(state, grant, toSeconds(atMs)));
  if (unused.length >= MAX_UNUSED_GRANTS) {
    throw refuseParameter(
      'customer',
      `A customer can have at most ${MAX_UNUSED_GRANTS} unused credit grants.`,
    );
  }
  const at = toSeconds(atMs);
  const customer = state.customers.get(customerId);
  const grant: WireCreditGrant = {
    id: state.nextId('credgr'),
    object: 'billing.credit_grant',
    created: at,
    customer: customerId,
    customer_account: null,
    livemode: false,
    test_clock: customer?.test_clock ?? null,
    updated: at,
    voided_at: null,
    ...given,
    effective_at: given.effective_at ?? at,
  };
  state.creditGrants.set(grant.id, grant);
  record(state, grant, at, {
    credit: { amount: grant.amount, credits_application_invoice_voided: null, type: 'credits_granted' },
  });
  return grant;
}

export function grantsOf(state: StripeState, customerId: string): WireCreditGrant[] {
  return [...state.creditGrants.values()].filter((grant) => grant.customer === customerId);
}

/** What was granted less what was used, expired or voided: the grant's ledger. */
function ledgerBalance(state: StripeState, grantId: string): bigint {
  let balance = 0n;
  for (const { credit_grant, credit, debit } of state.creditTransactions.values()) {
    if (credit_grant !== grantId) continue;
    balance += BigInt(credit?.amount.monetary?.value ?? 0) - BigInt(debit?.amount.monetary?.value ?? 0);
  }
  return balance;
}

/**
 * Grants that apply to an invoice, the first to be used up first: by priority, expiry (none comes last), category
 * (promotional before paid), when they took effect and when they were made. An invoice takes those in effect at its
 * `period_end`.
 *
 * Source: docs.stripe.com/billing/subscriptions/usage-based/billing-credits, "Credit grant eligibility" and "Multiple
 * credit grants".
 */
export function creditsFor(
  state: StripeState,
  invoice: { customerId: string; currency: string; periodEndSeconds: number },
): CreditTerms[] {
  const never = Number.POSITIVE_INFINITY;
  const keyOf = (grant: WireCreditGrant) => [
    grant.priority ?? 50,
    grant.expires_at ?? never,
    grant.category === 'promotional' ? 0 : 1,
    grant.effective_at ?? grant.created,
    grant.created,
  ];
  return grantsOf(state, invoice.customerId)
    .filter(
      ({ amount, effective_at, expires_at, voided_at }) =>
        voided_at === null &&
        amount.monetary?.currency === invoice.currency &&
        (effective_at ?? 0) <= invoice.periodEndSeconds &&
        (expires_at ?? never) > invoice.periodEndSeconds,
    )
    .sort((one, other) => compareKeys(keyOf(one), keyOf(other)))
    .flatMap(({ id, applicability_config: { scope } }) => {
      const balance = ledgerBalance(state, id);
      if (balance <= 0n) return [];
      const priceIds = scope.prices?.flatMap((price) => price.id ?? []) ?? null;
      return [{ grantId: id, balance, priceIds }];
    });
}

function compareKeys(one: readonly number[], other: readonly number[]): number {
  for (const [index, value] of one.entries()) {
    const difference = value - (other[index] ?? 0);
    if (!Number.isNaN(difference) && difference !== 0) return difference;
  }
  return 0;
}

/** A finalized invoice has used so much of a grant for a line. @returns the transaction's id */
export function useCredit(
  state: StripeState,
  used: { grantId: string; amount: bigint; invoiceId: string; lineId: string },
  at: number,
): string {
  const { grantId, amount, invoiceId, lineId } = used;
  const grant = state.creditGrants.get(grantId);
  if (grant === undefined) throw new RangeError(`no credit grant ${grantId}`);
  return record(state, grant, at, {
    debit: {
      amount: amountOf(grant, amount),
      credits_applied: { invoice: invoiceId, invoice_line_item: lineId },
      type: 'credits_applied',
    },
  });
}

/** "Voiding an invoice with credits applied reinstates the applied balance", which may have expired by then. */
export function reinstateCredits(state: StripeState, invoiceId: string, at: number): void {
  for (const { credit_grant, debit } of [...state.creditTransactions.values()]) {
    const grant = state.creditGrants.get(String(credit_grant));
    if (grant === undefined || debit?.credits_applied?.invoice !== invoiceId) continue;
    const { invoice_line_item } = debit.credits_applied;
    record(state, grant, at, {
      credit: {
        amount: debit.amount,
        credits_application_invoice_voided: { invoice: invoiceId, invoice_line_item },
        type: 'credits_application_invoice_voided',
      },
    });
  }
}

/** Ends a grant: what is left of it is taken away. @throws StripeRefusal when a voided one was used */
export function endGrant(
  state: StripeState,
  grant: WireCreditGrant,
  how: 'credits_expired' | 'credits_voided',
  at: number,
): void {
  const left = ledgerBalance(state, grant.id);
  if (how === 'credits_voided') {
    if (left !== BigInt(grant.amount.monetary?.value ?? 0)) {
      throw refuseParameter('id', 'A credit grant that was applied to an invoice cannot be voided.');
    }
    grant.voided_at = at;
  } else grant.expires_at = at;
  grant.updated = at;
  if (left <= 0n) return;
  record(state, grant, at, { debit: { amount: amountOf(grant, left), credits_applied: null, type: how } });
}

/**
 * What grants have by currency: by the ledger, and what of it can be used now.
 * @param claims what drafts would use of each
 */
export function balancesOf(
  state: StripeState,
  grants: readonly WireCreditGrant[],
  claims: ReadonlyMap<string, bigint>,
  at: number,
) {
  const currencies = new Map<string, { ledger: bigint; available: bigint }>();
  for (const grant of grants) {
    const currency = grant.amount.monetary?.currency ?? '';
    const sums = currencies.get(currency) ?? { ledger: 0n, available: 0n };
    const balance = ledgerBalance(state, grant.id);
    const isInForce = (grant.effective_at ?? 0) <= at && (grant.expires_at ?? at + 1) > at;
    currencies.set(currency, {
      ledger: sums.ledger + balance,
      available: sums.available + (isInForce ? lessClaim(balance, claims.get(grant.id) ?? 0n) : 0n),
    });
  }
  return [...currencies].map(([currency, { ledger, available }]) => ({
    available_balance: money(currency, available),
    ledger_balance: money(currency, ledger),
  }));
}

/** Several drafts may show the same credits. */
function lessClaim(balance: bigint, claim: bigint): bigint {
  return claim < balance ? balance - claim : 0n;
}

function isUnused(state: StripeState, grant: WireCreditGrant, at: number): boolean {
  return grant.voided_at === null && (grant.expires_at ?? at + 1) > at && ledgerBalance(state, grant.id) > 0n;
}

function amountOf(grant: WireCreditGrant, amount: bigint): WireCreditGrant['amount'] {
  return money(grant.amount.monetary?.currency ?? '', amount);
}

function money(currency: string, amount: bigint): WireCreditGrant['amount'] {
  return { monetary: { currency, value: Number(amount) }, type: 'monetary' };
}

function record(
  state: StripeState,
  grant: WireCreditGrant,
  at: number,
  what: { credit: WireCreditTransaction['credit'] } | { debit: WireCreditTransaction['debit'] },
): string {
  const id = state.nextId('cbtxn');
  const [credit, debit] = 'credit' in what ? [what.credit, null] : [null, what.debit];
  state.creditTransactions.set(id, {
    id,
    object: 'billing.credit_balance_transaction',
    created: at,
    credit,
    credit_grant: grant.id,
    debit,
    effective_at: at,
    livemode: false,
    test_clock: grant.test_clock,
    type: credit === null ? 'debit' : 'credit',
  });
  return id;
}
