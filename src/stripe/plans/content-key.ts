import { createHash } from 'node:crypto';
import type Stripe from 'stripe';
import type { RatePrice } from '../../../pricing/rating/rate-price.ts';
import { type KeyedClient, writeKeyed } from '../keyed-writes.ts';
import { withRetry } from '../retry.ts';

/** Marks what we made at Stripe: the plan's id. What does not bear it is never listed and never touched. */
export const PLAN_METADATA_KEY = 'tallystick_plan';

export interface ContentCall<Made extends { id: string }> {
  /** What is being done, for the message: `create a price`. */
  action: string;
  /** What the key is made of: plain data that says everything the object is to be. */
  content: unknown;
  create: (request: Stripe.RequestOptions) => Promise<Stripe.Response<Made>>;
  /** Whether an object made earlier is still what the content asks for. */
  isCurrent: (id: string) => Promise<boolean>;
  signal?: AbortSignal;
}

/**
 * Creates an object once, however often it is asked for: what is meant is its content. Where the object that Stripe's kept
 * answer names was put out of use since, it is made anew.
 * @throws UpstreamError
 */
export async function createOnce<Made extends { id: string }>(
  client: KeyedClient,
  { action, content, create, isCurrent, signal }: ContentCall<Made>,
): Promise<Made> {
  const read = { action: `${action}: read it again`, writes: false };
  return await writeKeyed(
    client,
    {
      action,
      intent: `tallystick-${createHash('sha256').update(JSON.stringify(content)).digest('hex')}`,
      content,
      run: create,
      holds: (kept) => withRetry(client.policy, read, () => isCurrent(kept.id), signal),
    },
    signal,
  );
}

/** In one order, so that equal content gives equal keys and equal bytes. */
export function planMetadata(object: {
  planId: string;
  metadata?: Record<string, string>;
}): Record<string, string> {
  const entries = { ...object.metadata, [PLAN_METADATA_KEY]: object.planId };
  return Object.fromEntries(Object.entries(entries).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Quantities are bigint, which JSON has not. */
export function toText(price: RatePrice): unknown {
  if (price.kind === 'per_package') return { ...price, packageSize: String(price.packageSize) };
  return price.kind === 'per_unit'
    ? price
    : { ...price, tiers: price.tiers.map((tier) => ({ ...tier, upTo: tier.upTo?.toString() ?? null })) };
}
