import type Stripe from 'stripe';
import { writeKeyed } from '../keyed-writes.ts';
import { type ClosingClient, read } from './calls.ts';
import { checkIdempotencyKey } from './limits.ts';

/** See InvoiceSystem.readBillingThreshold. */
export async function readBillingThreshold(
  client: ClosingClient,
  subscriptionId: string,
  signal?: AbortSignal,
): Promise<bigint | null> {
  const call = { action: 'read a billing threshold', context: { subscription: subscriptionId } };
  const subscription = await read(
    client,
    call,
    () => client.stripe.subscriptions.retrieve(subscriptionId),
    signal,
  );
  const amount = subscription.billing_thresholds?.amount_gte ?? null;
  return amount === null ? null : BigInt(amount);
}

/** See InvoiceSystem.setBillingThreshold. */
export async function setBillingThreshold(
  client: ClosingClient,
  subscriptionId: string,
  { amountGteMinor, idempotencyKey }: { amountGteMinor: bigint | null; idempotencyKey: string },
  signal?: AbortSignal,
): Promise<void> {
  checkIdempotencyKey(idempotencyKey);
  const parameters: Stripe.SubscriptionUpdateParams = {
    billing_thresholds:
      amountGteMinor === null
        ? ''
        : { amount_gte: Number(amountGteMinor), reset_billing_cycle_anchor: false },
  };
  const write = {
    action: amountGteMinor === null ? 'take a billing threshold away' : 'set a billing threshold',
    context: { subscription: subscriptionId },
    intent: idempotencyKey,
    content: [subscriptionId, parameters],
    run: (request: Stripe.RequestOptions) =>
      client.stripe.subscriptions.update(subscriptionId, parameters, request),
    // An answer that Stripe kept says nothing about what somebody has changed since.
    holds: async () => false,
  };
  await writeKeyed(client, write, signal);
}
