import type Stripe from 'stripe';
import { UpstreamError } from '../../platform/errors.ts';
import { type StripeCall, toUpstreamError } from '../errors.ts';
import type { RateLimiter } from '../rate-limiter.ts';
import { type RetryPolicy, withRetry } from '../retry.ts';

/** What the calls of a close are made with. */
export interface ClosingClient {
  stripe: Stripe;
  policy: RetryPolicy;
  /** Every attempt, each page of a list included, takes a turn here first; absent: not paced. */
  limiter: RateLimiter | undefined;
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
  return withRetry(client.policy, description, () => paced(client, description, run, signal), signal);
}

/**
 * Writes under an idempotency key. After an answered 5xx, which Stripe stores under the key and repeats, the next
 * attempt has another one: so the call must be a setting one, or `find` must say what an earlier attempt has made.
 * @throws UpstreamError
 */
export function write<Result>(
  client: ClosingClient,
  call: Omit<StripeCall, 'writes'> & { idempotencyKey: string },
  run: (request: Stripe.RequestOptions) => Promise<Result>,
  options: { find?: () => Promise<Result | null>; signal?: AbortSignal | undefined } = {},
): Promise<Result> {
  const { signal } = options;
  const description = { action: call.action, context: call.context ?? {}, writes: true };
  let { idempotencyKey } = call;
  return withRetry(
    client.policy,
    description,
    async ({ number, previousError }) => {
      const status = previousError?.context.statusCode;
      if (typeof status === 'number' && status >= 500) {
        const found = (await options.find?.()) ?? null;
        if (found !== null) return found;
        idempotencyKey = `${call.idempotencyKey}.${number}`;
      }
      return paced(client, description, () => run({ idempotencyKey }), signal);
    },
    signal,
  );
}

/**
 * Sets something on an invoice. The answer that Stripe stored under the key says nothing about what somebody has
 * changed since: after a repeated answer it is set once more.
 * @throws UpstreamError
 */
export async function set<Result>(
  client: ClosingClient,
  call: Omit<StripeCall, 'writes'> & { idempotencyKey: string },
  run: (request: Stripe.RequestOptions) => Promise<Stripe.Response<Result>>,
  signal?: AbortSignal,
): Promise<Stripe.Response<Result>> {
  const answer = await write(client, call, run, { signal });
  if (answer.lastResponse.headers['idempotent-replayed'] !== 'true') return answer;
  return write(client, { ...call, idempotencyKey: crypto.randomUUID() }, run, { signal });
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

async function paced<Result>(
  { limiter }: ClosingClient,
  call: StripeCall,
  run: () => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  await limiter?.take(signal);
  try {
    return await run();
  } catch (error) {
    const upstream = toUpstreamError(error, call);
    // Told when to come back, the others need not find out one by one.
    if (upstream instanceof UpstreamError && upstream.retryAfterMs !== undefined) {
      limiter?.pauseFor(upstream.retryAfterMs);
    }
    throw upstream;
  }
}
