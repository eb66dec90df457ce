import type Stripe from 'stripe';
import { moveBalance } from '../adjustments/balance.ts';
import { type FormShape, readInteger, readMap, readText, requireText } from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import { refuseParameter } from '../http/refusal.ts';
import { toSeconds } from '../http/wire.ts';
import { checkChargeable } from '../money.ts';
import type { StripeState } from '../state.ts';
import { type Endpoint, found, idOf } from './endpoint.ts';

const PATH = '/v1/customers/:id/balance_transactions';

/** What a customer has in credit, or owes besides, with the next invoice. */
export function customerBalanceEndpoints(state: StripeState): Endpoint[] {
  return [
    {
      method: 'GET',
      path: PATH,
      shape: PAGING_SHAPE,
      mutates: false,
      run: (call) => {
        const { id } = found(state.customers, 'customer', idOf(call));
        const transactions = [...state.balanceTransactions.values()].filter(
          ({ customer }) => customer === id,
        );
        return toPage(transactions, call.form, `/v1/customers/${id}/balance_transactions`);
      },
    },
    {
      method: 'POST',
      path: PATH,
      shape: {
        amount: 'text',
        currency: 'text',
        description: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.CustomerCreateBalanceTransactionParams>,
      mutates: true,
      run: (call) => {
        const { form, nowMs } = call;
        const customer = found(state.customers, 'customer', idOf(call));
        const currency = requireText(form, 'currency').toLowerCase();
        const amount = readInteger(form, 'amount') ?? 0;
        checkChargeable(BigInt(amount), currency);
        if (customer.currency != null && customer.currency !== currency) {
          throw refuseParameter('currency', `The customer is billed in ${customer.currency}.`);
        }
        const moved = moveBalance(state, customer, {
          amount,
          currency,
          type: 'adjustment',
          description: readText(form, 'description') ?? null,
          metadata: readMap(form, 'metadata'),
          at: toSeconds(nowMs),
        });
        if (moved === null) throw refuseParameter('amount', 'must not be 0', 'parameter_invalid_integer');
        return moved;
      },
    },
  ];
}
