import type Stripe from 'stripe';
import type { StripeCall } from '../errors.ts';
import { type KeyedClient, paced } from '../keyed-writes.ts';
import { withRetry } from '../retry.ts';

/** What the calls of a close are made with; each page of a list takes a turn of the limiter, too. */
export interface ClosingClient extends KeyedClient {
  stripe: Stripe;
}

const PAGE_SIZE = 100;

/** @throws UpstreamError */
export function read<Result>(
  client: ClosingClient,
  call: Omit<StripeCall, 'writes'>,
  run: () => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const description = { ...call, writes: false };
  return withRetry(client.policy, description, () => paced(client.limiter, description, run, signal), signal);
}

/** All pages of a list, one call after the other, in the order Stripe gives them. @throws UpstreamError */
export async function readPages<Item extends { id: string }>(
  client: ClosingClient,
  call: Omit<StripeCall, 'writes'>,
  list: (page: Stripe.PaginationParams) => Promise<Stripe.ApiList<Item>>,
  signal?: AbortSignal,
): Promise<Item[]> {
  const items: Item[] = [];
  for (;;) {
    const last = items.at(-1);
    const page = { limit: PAGE_SIZE, ...(last === undefined ? {} : { starting_after: last.id }) };
    const { data, has_more } = await read(client, call, () => list(page), signal);
    items.push(...data);
    if (!has_more || data.length === 0) return items;
  }
}
