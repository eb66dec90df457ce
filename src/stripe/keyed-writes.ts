import { createHash } from 'node:crypto';
import Stripe from 'stripe';
import { type TallystickError, UpstreamError } from '../platform/errors.ts';
import type { CallIntent, CallKeys } from './call-keys.ts';
import { isRateLimit, type StripeCall, toUpstreamError } from './errors.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { type RetryPolicy, withRetry } from './retry.ts';

/** What writes are made with. */
export interface KeyedClient {
  policy: RetryPolicy;
  /** Every attempt takes a turn here first; absent: not paced. */
  limiter: RateLimiter | undefined;
  keys: CallKeys;
}

export interface KeyedWrite<Result extends object> extends Omit<StripeCall, 'writes'> {
  /** What is meant to happen once, however often it is tried. */
  intent: string;
  /** All that is sent: what differs in it goes out under another key, by construction. */
  content: unknown;
  run: (request: Stripe.RequestOptions) => Promise<Result>;
  /** How many keys of the intent are spent, where the caller has read it already. */
  spentCount?: number;
  /**
   * What an earlier attempt has made, if anything. Asked after an answered 5xx, which Stripe keeps although the outcome is
   * unknown; a call without it must be one that sets, or bear an identifier of its own.
   */
  find?: () => Promise<Result | null>;
  /** Whether a kept answer still is how things are; absent: it is. If not, the call is made anew. */
  holds?: (kept: Result) => Promise<boolean>;
}

/** Kept answers that one attempt leaves behind it: more, and somebody undoes the work as fast as it is done. */
const MOST_KEPT_ANSWERS = 20;

/**
 * Writes to Stripe under an idempotency key made of intent and content. The same key as long as the outcome may be
 * unknown; once Stripe keeps a refusal under it (or a failure, or an answer that holds no more), the next one, committed
 * before it is used. A refusal that Stripe only repeats is no news: the next key is tried at once, so that a stop between
 * a refusal and its being committed costs nothing.
 * @throws UpstreamError
 */
export async function writeKeyed<Result extends object>(
  client: KeyedClient,
  write: KeyedWrite<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const { keys, policy, limiter } = client;
  const call: StripeCall = { action: write.action, context: write.context ?? {}, writes: true };
  const intent = { intent: write.intent, content: digestOf(write.content) };
  let spentCount = write.spentCount;
  const attempt = async (previousError: TallystickError | null): Promise<Result> => {
    spentCount ??= await keys.countSpent(intent);
    if (Number(previousError?.context.statusCode) >= 500) {
      const found = (await write.find?.()) ?? null;
      if (found !== null) return found;
    }
    for (let keptCount = 0; ; keptCount += 1) {
      const idempotencyKey = nameKey(intent, spentCount);
      const run = () => write.run({ idempotencyKey });
      let made: Result | null = null;
      try {
        made = await paced(limiter, call, run, signal);
        if (keptCount === MOST_KEPT_ANSWERS || !isReplay(made)) return made;
        if (write.holds === undefined || (await write.holds(made))) return made;
      } catch (error) {
        if (!isKept(error)) throw error;
        await keys.spend(intent, ++spentCount);
        const isOld = isReplay(causeOf(error)) && !isFailure(error);
        if (!isOld || keptCount === MOST_KEPT_ANSWERS) throw error;
        continue;
      }
      await keys.spend(intent, ++spentCount);
    }
  };
  return withRetry(policy, call, ({ previousError }) => attempt(previousError), signal);
}

/** Long enough that no two contents share one, and short enough for Stripe's 255 characters of a key. */
function digestOf(content: unknown): string {
  const text = JSON.stringify(content, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function nameKey({ intent, content }: CallIntent, spentCount: number): string {
  return `${intent}.${content}${spentCount === 0 ? '' : `.${spentCount}`}`;
}

/** One call in its turn. @throws UpstreamError */
export async function paced<Result>(
  limiter: RateLimiter | undefined,
  call: StripeCall,
  run: () => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  await limiter?.take(signal);
  try {
    return await run();
  } catch (error) {
    const upstream = toUpstreamError(error, call);
    if (isRateLimit(error)) limiter?.slowDown();
    // Told when to come back, the others need not find out one by one.
    if (upstream instanceof UpstreamError && upstream.retryAfterMs !== undefined) {
      limiter?.pauseFor(upstream.retryAfterMs);
    }
    throw upstream;
  }
}

/**
 * Whether Stripe keeps the answer under the key: every one but of a refused key (401), a call in flight (409) and a rate
 * (429). Refused parameters are not kept either, but cannot be told apart, and another key does them no harm.
 */
function isKept(error: unknown): boolean {
  const status = error instanceof UpstreamError ? error.statusCode : undefined;
  if (status === undefined || status < 400) return false;
  return ![401, 409, 429].includes(status) || isReplay(causeOf(error));
}

function isFailure(error: unknown): boolean {
  return error instanceof UpstreamError && (error.statusCode ?? 0) >= 500;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

/** Stripe marks an answer that it kept. */
function isReplay(answer: unknown): boolean {
  const headers =
    answer instanceof Stripe.errors.StripeError
      ? answer.headers
      : (answer as { lastResponse?: { headers: Record<string, string> } } | null)?.lastResponse?.headers;
  return headers?.['idempotent-replayed'] === 'true';
}
