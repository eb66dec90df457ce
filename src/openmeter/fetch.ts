import { REAL_RETRY_TOOLS, type RetryTools, retryCall } from '../platform/retry.ts';
import { detailOfProblem, errorOfNetwork, errorOfStatus, type FailedCall } from './failures.ts';

/** How patiently OpenMeter is called. Defaults suit a job; an API route hands in shorter ones. */
export interface OpenMeterCallOptions {
  /**
   * Milliseconds one attempt may take, body included; a customer's keys add to it. Default 30,000: a big meter query takes
   * seconds.
   */
  timeoutMs?: number;
  /** Attempts in all, the first included. Default 4. */
  attemptCount?: number;
  /** Wait before the second attempt; doubled for each later one, with full jitter. Default 250. */
  baseDelayMs?: number;
  /** No wait inside one call is longer; a longer `Retry-After` ends the call as throttled. Default 10,000. */
  maxDelayMs?: number;
  /** What really sends; the runtime's own by default. */
  fetch?: (input: string, init: RequestInit) => Promise<Response>;
  /** Jitter source in [0, 1). */
  random?: () => number;
  /** How it waits; a timer by default. */
  sleep?: RetryTools['sleep'];
}

/**
 * What a customer's subject keys may take on top: OpenMeter was seen to take 2.4 ms a key, and a key is some twenty bytes.
 */
const CUSTOMER_MS_PER_BYTE = 0.25;

/** Node's codes for a connection that was never made: the request cannot have taken effect. */
const NOT_SENT_CODES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/**
 * The fetch given to the SDK, which itself has no timeout, no retry and no Retry-After. Each attempt sends the
 * request's bytes as they are and reads the answer to its end, so a body cut short is a failure here and not a
 * parse error later. Refusals are thrown as UpstreamError and never reach the SDK's own error class.
 *
 * A call that may have taken effect is repeated only where that is harmless: reads, replacements, and events
 * (their ids are fixed, so a repeat is the same event). Creations are repeated only when surely not performed.
 */
export function createRetryingFetch(
  options: OpenMeterCallOptions = {},
): (request: Request) => Promise<Response> {
  const maxDelayMs = options.maxDelayMs ?? 10_000;
  const policy = {
    attemptCount: options.attemptCount ?? 4,
    baseDelayMs: options.baseDelayMs ?? 250,
    maxDelayMs,
    maxRetryAfterMs: maxDelayMs,
  };
  const { random = REAL_RETRY_TOOLS.random, sleep = REAL_RETRY_TOOLS.sleep } = options;
  const tools = { ...REAL_RETRY_TOOLS, random, sleep };

  return async (request) => {
    const { pathname } = new URL(request.url);
    const call = `${request.method} ${pathname}`;
    const changesState = request.method !== 'GET' && !pathname.endsWith('/query');
    const repeatable = !changesState || request.method !== 'POST' || pathname.endsWith('/events');
    const body = request.body === null ? null : await request.arrayBuffer();

    return await retryCall<Response>(
      async () => {
        const outcome = await attemptOnce(request, body, pathname, options);
        if (outcome.kind === 'answer') return { kind: 'done', value: outcome.response };
        return {
          kind: 'failed',
          mayRepeat: outcome.transient && (repeatable || !outcome.mayHaveTakenEffect),
          retryAfterMs: outcome.retryAfterMs,
          mayHaveTakenEffect: changesState && outcome.mayHaveTakenEffect,
          toError: (outcomeUnknown) => outcome.toError({ call, outcomeUnknown }),
        };
      },
      policy,
      tools,
      request.signal,
    );
  };
}

type Outcome =
  | { kind: 'answer'; response: Response }
  | {
      kind: 'failure';
      transient: boolean;
      mayHaveTakenEffect: boolean;
      retryAfterMs?: number | undefined;
      toError: (failed: FailedCall) => Error;
    };

async function attemptOnce(
  request: Request,
  body: ArrayBuffer | null,
  pathname: string,
  options: OpenMeterCallOptions,
): Promise<Outcome> {
  const send = options.fetch ?? fetch;
  const isCustomer = pathname.startsWith('/api/v1/customers');
  const timeoutMs =
    (options.timeoutMs ?? 30_000) +
    (isCustomer ? Math.ceil((body?.byteLength ?? 0) * CUSTOMER_MS_PER_BYTE) : 0);
  const deadline = new AbortController();
  const wasGivenUpBefore = request.signal.aborted;
  const giveUp = () => deadline.abort(request.signal.reason);
  if (wasGivenUpBefore) giveUp();
  else request.signal.addEventListener('abort', giveUp, { once: true });
  const timer = setTimeout(() => deadline.abort(new Error('timed out')), timeoutMs);
  try {
    const response = await send(request.url, {
      method: request.method,
      headers: request.headers,
      body,
      signal: deadline.signal,
      // Following a redirect would turn a POST of events into a GET that succeeds.
      redirect: 'manual',
    });
    const text = response.status === 204 ? null : await response.text();
    const isIngest = request.method === 'POST' && pathname.endsWith('/events');
    if (isIngest ? response.status !== 204 : !response.ok) return failureOfStatus(response, text ?? '');
    const headers = plainHeaders(response);
    return { kind: 'answer', response: new Response(text, { status: response.status, headers }) };
  } catch (cause) {
    const isGivenUp = request.signal.aborted;
    const isLate = deadline.signal.aborted && !isGivenUp;
    const reason = isGivenUp
      ? 'the caller gave up'
      : isLate
        ? `no whole answer within ${timeoutMs} ms`
        : reasonOf(cause);
    return {
      kind: 'failure',
      transient: !isGivenUp,
      mayHaveTakenEffect: !wasGivenUpBefore && !NOT_SENT_CODES.has(reason),
      toError: (failed) => errorOfNetwork(failed, cause, reason),
    };
  } finally {
    clearTimeout(timer);
    request.signal.removeEventListener('abort', giveUp);
  }
}

function failureOfStatus(response: Response, text: string): Outcome {
  const { status: statusCode } = response;
  const retryAfterMs = readRetryAfter(response.headers.get('retry-after'));
  return {
    kind: 'failure',
    transient: statusCode === 429 || statusCode === 408 || statusCode >= 500,
    // A 5xx can come after some events of the batch were queued; a 2xx that is not OpenMeter's, who knows.
    mayHaveTakenEffect: statusCode === 408 || statusCode >= 500 || statusCode < 300,
    retryAfterMs,
    toError: (failed) => errorOfStatus(failed, { statusCode, detail: detailOfProblem(text), retryAfterMs }),
  };
}

/** The answer's body is decoded text by now, so headers about its bytes no longer hold. */
function plainHeaders(response: Response): Headers {
  const headers = new Headers(response.headers);
  for (const name of ['content-length', 'content-encoding', 'transfer-encoding']) headers.delete(name);
  return headers;
}

/** `Retry-After` in seconds or as an HTTP date, in milliseconds from now; undefined when absent or unreadable. */
function readRetryAfter(header: string | null): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds) && seconds >= 0) return seconds * 1000;
  const instant = Date.parse(header);
  return Number.isNaN(instant) ? undefined : Math.max(0, instant - Date.now());
}

/** The network's own code where there is one: the runtime wraps it in a plain TypeError. */
function reasonOf(error: unknown): string {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ('code' in current && typeof current.code === 'string') return current.code;
  }
  return error instanceof Error ? error.message : String(error);
}
