import { createHash } from 'node:crypto';
import type Stripe from 'stripe';
import { toUpstreamError } from '../errors.ts';
import type { RateLimiter } from '../rate-limiter.ts';
import { type RetryPolicy, withRetry } from '../retry.ts';

export interface ContentCall<Made extends { id: string }> {
  /** What is being done, for the message: `create a price`. */
  action: string;
  /** What the key is made of: plain data that says everything the object is to be. */
  content: unknown;
  create: (request: Stripe.RequestOptions) => Promise<Stripe.Response<Made>>;
  /** Whether an object made earlier is still what the content asks for. */
  isCurrent: (id: string) => Promise<boolean>;
  policy: RetryPolicy;
  limiter: RateLimiter;
  signal?: AbortSignal;
}

/** A key chain this long means that somebody undoes the work as fast as it is done. */
const MAX_GENERATIONS = 20;

/**
 * Creates an object once, however often it is asked for: the idempotency key is a hash of the content.
 *
 * Stripe repeats the stored answer for 24 hours, also when the object was changed since; where it was put out of use,
 * the next key is derived from the old object's id, so that any number of callers find the same new one. After an
 * answered 5xx, which Stripe would repeat too, the next attempt has another key.
 * @throws UpstreamError
 */
export async function createOnce<Made extends { id: string }>(call: ContentCall<Made>): Promise<Made> {
  let key = hash(call.content);
  for (let generation = 1; ; generation += 1) {
    const { made, replayed } = await attempt(call, key);
    if (!replayed || generation >= MAX_GENERATIONS) return made;
    const read = { action: `${call.action}: read it again`, writes: false };
    if (await withRetry(call.policy, read, () => call.isCurrent(made.id), call.signal)) return made;
    key = hash([key, made.id]);
  }
}

async function attempt<Made extends { id: string }>(
  call: ContentCall<Made>,
  contentKey: string,
): Promise<{ made: Made; replayed: boolean }> {
  const description = { action: call.action, writes: true };
  let key = contentKey;
  return withRetry(
    call.policy,
    description,
    async ({ number, previousError }) => {
      const status = previousError?.context.statusCode;
      if (typeof status === 'number' && status >= 500) key = `${contentKey}.${number}`;
      await call.limiter.take(call.signal);
      try {
        const made = await call.create({ idempotencyKey: key });
        return { made, replayed: made.lastResponse.headers['idempotent-replayed'] === 'true' };
      } catch (error) {
        throw toUpstreamError(error, description);
      }
    },
    call.signal,
  );
}

function hash(content: unknown): string {
  return `tallystick-${createHash('sha256').update(JSON.stringify(content)).digest('hex')}`;
}
