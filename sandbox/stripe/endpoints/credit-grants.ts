import type Stripe from 'stripe';
import type { BillingAccount } from '../account.ts';
import {
  balancesOf,
  endGrant,
  grantsOf,
  type NewCreditGrant,
  newCreditGrant,
} from '../adjustments/credits.ts';
import {
  type Form,
  type FormShape,
  mergeMetadata,
  readChange,
  readInteger,
  readMap,
  readNested,
  readObjects,
  readText,
  requireText,
} from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import { refuseMissing, refuseParameter, refuseUnknown } from '../http/refusal.ts';
import { toSeconds, type WireCreditGrant } from '../http/wire.ts';
import { creditClaims } from '../invoices/credit-claims.ts';
import { checkChargeable } from '../money.ts';
import type { StripeState } from '../state.ts';
import { type Call, type Endpoint, found, idOf, retrieve } from './endpoint.ts';

const GRANTS = '/v1/billing/credit_grants';
const LOWEST_PRIORITY = 100;

/** Billing credits: grants, and the ledger of what became of them. */
export function creditGrantEndpoints(account: BillingAccount): Endpoint[] {
  const { state } = account;
  const timeOf = (customer: string, nowMs: number) => toSeconds(state.timeOf(customer, nowMs));
  const end = (verb: 'expire' | 'void', how: 'credits_expired' | 'credits_voided'): Endpoint => ({
    method: 'POST',
    path: `${GRANTS}/:id/${verb}`,
    shape: { expand: 'any' },
    mutates: true,
    run: (call) => {
      const grant = found(state.creditGrants, 'credit grant', idOf(call));
      endGrant(state, grant, how, timeOf(String(grant.customer), call.nowMs));
      return grant;
    },
  });
  return [
    {
      method: 'GET',
      path: GRANTS,
      shape: {
        ...PAGING_SHAPE,
        customer: 'text',
      } satisfies FormShape<Stripe.Billing.CreditGrantListParams>,
      mutates: false,
      run: ({ form }) => {
        const customer = readText(form, 'customer');
        const grants = customer === undefined ? [...state.creditGrants.values()] : grantsOf(state, customer);
        return toPage(grants, form, GRANTS);
      },
    },
    retrieve(`${GRANTS}/:id`, (id) => found(state.creditGrants, 'credit grant', id)),
    {
      method: 'POST',
      path: GRANTS,
      shape: {
        amount: { type: 'text', monetary: { currency: 'text', value: 'text' } },
        applicability_config: { scope: { price_type: 'text', prices: { id: 'text' } } },
        category: 'text',
        customer: 'text',
        effective_at: 'text',
        expires_at: 'text',
        name: 'text',
        priority: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.Billing.CreditGrantCreateParams>,
      mutates: true,
      run: (call) => {
        const input = readGrant(state, call);
        return newCreditGrant(state, input, state.timeOf(input.customerId, call.nowMs));
      },
    },
    {
      method: 'POST',
      path: `${GRANTS}/:id`,
      shape: {
        expires_at: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.Billing.CreditGrantUpdateParams>,
      mutates: true,
      run: (call) => {
        const grant = found(state.creditGrants, 'credit grant', idOf(call));
        const expiresAt = readChange(call.form, 'expires_at');
        if (expiresAt !== undefined) grant.expires_at = expiresAt === null ? null : Number(expiresAt);
        grant.metadata = mergeMetadata(grant.metadata, call.form);
        grant.updated = toSeconds(call.nowMs);
        return grant;
      },
    },
    end('expire', 'credits_expired'),
    end('void', 'credits_voided'),
    {
      method: 'GET',
      path: '/v1/billing/credit_balance_summary',
      shape: {
        customer: 'text',
        filter: {
          type: 'text',
          credit_grant: 'text',
          applicability_scope: { price_type: 'text', prices: { id: 'text' } },
        },
        expand: 'any',
      } satisfies FormShape<Stripe.Billing.CreditBalanceSummaryRetrieveParams>,
      mutates: false,
      run: ({ form, nowMs }) => {
        const customer = found(state.customers, 'customer', requireText(form, 'customer')).id;
        const grants = filterGrants(state, customer, readNested(form, 'filter'));
        const at = timeOf(customer, nowMs);
        const claims =
          state.creditsOnDrafts === 'taken'
            ? creditClaims(account, customer, nowMs)
            : new Map<string, bigint>();
        return {
          object: 'billing.credit_balance_summary',
          balances: balancesOf(state, grants, claims, at),
          customer,
          customer_account: null,
          livemode: false,
        };
      },
    },
    {
      method: 'GET',
      path: '/v1/billing/credit_balance_transactions',
      shape: {
        ...PAGING_SHAPE,
        customer: 'text',
        credit_grant: 'text',
      } satisfies FormShape<Stripe.Billing.CreditBalanceTransactionListParams>,
      mutates: false,
      run: ({ form }) => {
        const grants = new Set(grantsOf(state, requireText(form, 'customer')).map(({ id }) => id));
        const asked = readText(form, 'credit_grant');
        const transactions = [...state.creditTransactions.values()].filter(
          ({ credit_grant }) =>
            grants.has(String(credit_grant)) && (asked === undefined || credit_grant === asked),
        );
        // So says Stripe's own description of the list's address.
        return toPage(transactions, form, GRANTS);
      },
    },
    retrieve('/v1/billing/credit_balance_transactions/:id', (id) =>
      found(state.creditTransactions, 'credit balance transaction', id),
    ),
  ];
}

/** One grant, or those of a scope. @throws StripeRefusal */
function filterGrants(state: StripeState, customerId: string, filter: Form): WireCreditGrant[] {
  const grants = grantsOf(state, customerId);
  const type = requireText(filter, 'type');
  if (type === 'credit_grant') {
    const id = requireText(filter, 'credit_grant');
    const grant = grants.find((known) => known.id === id);
    if (grant === undefined) throw refuseUnknown('credit grant', id, 'filter[credit_grant]');
    return [grant];
  }
  if (type !== 'applicability_scope')
    throw refuseParameter('filter[type]', 'must be one of applicability_scope or credit_grant');
  const { prices } = readScope(state, readNested(filter, 'applicability_scope'));
  const ids = prices?.flatMap(({ id }) => id ?? []) ?? null;
  return grants.filter(({ applicability_config: { scope } }) => {
    const own = scope.prices?.flatMap(({ id }) => id ?? []) ?? null;
    if (state.creditScopes === 'applicable')
      return ids === null || own === null || own.some((id) => ids.includes(id));
    return JSON.stringify(own?.toSorted()) === JSON.stringify(ids?.toSorted());
  });
}

function readGrant(state: StripeState, { form }: Call): NewCreditGrant {
  const customerId = found(state.customers, 'customer', requireText(form, 'customer')).id;
  const monetary = readNested(readNested(form, 'amount'), 'monetary');
  const currency = requireText(monetary, 'currency').toLowerCase();
  const value = readInteger(monetary, 'value');
  if (value === undefined) throw refuseMissing('amount[monetary][value]');
  if (value <= 0)
    throw refuseParameter('amount[monetary][value]', 'must be above 0', 'parameter_invalid_integer');
  checkChargeable(BigInt(value), currency);
  const category = readText(form, 'category') ?? 'paid';
  if (category !== 'paid' && category !== 'promotional') {
    throw refuseParameter('category', 'must be one of paid or promotional');
  }
  const priority = readInteger(form, 'priority') ?? 50;
  if (priority < 0 || priority > LOWEST_PRIORITY) {
    throw refuseParameter('priority', `must be 0 to ${LOWEST_PRIORITY}`, 'parameter_invalid_integer');
  }
  return {
    customerId,
    amount: { monetary: { currency, value }, type: 'monetary' },
    applicability_config: {
      scope: readScope(state, readNested(readNested(form, 'applicability_config'), 'scope')),
    },
    category,
    effective_at: readInteger(form, 'effective_at') ?? null,
    expires_at: readInteger(form, 'expires_at') ?? null,
    metadata: readMap(form, 'metadata'),
    name: readText(form, 'name') ?? null,
    priority,
  };
}

/** All prices of meters, or some of them. @throws StripeRefusal for a price without a meter */
function readScope(state: StripeState, scope: Form): WireCreditGrant['applicability_config']['scope'] {
  const prices = readObjects(scope, 'prices').map((price) => requireText(price, 'id'));
  const type = readText(scope, 'price_type');
  if ((type === undefined) === (prices.length === 0)) {
    throw refuseParameter('applicability_config[scope]', 'One of price_type and prices is needed, not both.');
  }
  for (const id of prices) {
    if (found(state.prices, 'price', id).recurring?.meter == null) {
      throw refuseParameter('applicability_config[scope][prices]', `The price ${id} has no meter.`);
    }
  }
  if (type !== undefined && type !== 'metered') {
    throw refuseParameter('applicability_config[scope][price_type]', 'must be metered');
  }
  return prices.length > 0 ? { prices: prices.map((id) => ({ id })) } : { price_type: 'metered' };
}
