import { UpstreamError } from '../../platform/errors.ts';
import { type FailedAttempt, REAL_RETRY_TOOLS, type RetryPolicy, retryCall } from '../../platform/retry.ts';
import type { ObjectBody, ObjectStore } from './store.ts';

const POLICY: RetryPolicy = { attemptCount: 4, baseDelayMs: 500, maxDelayMs: 8_000, maxRetryAfterMs: 60_000 };
/** A day of a large installation is some tens of megabytes. */
const TIMEOUT_MS = 10 * 60_000;

export interface HttpPlace {
  description: string;
  urlOf(name: string): URL;
  /** One signed request; what was asked is in it, the signature is not. */
  send(url: URL, init: RequestInit & { headers: Record<string, string> }): Promise<Response>;
  putHeaders(body: ObjectBody): Record<string, string>;
}

/**
 * A store that takes an object by one PUT, which it makes whole or not at all, and gives it by one GET. Both may be
 * repeated.
 * @throws UpstreamError from its calls
 */
export function createHttpStore({ description, urlOf, send, putHeaders }: HttpPlace): ObjectStore {
  async function call(
    name: string,
    init: RequestInit & { headers: Record<string, string> },
    good: readonly number[],
  ): Promise<Response> {
    return await retryCall<Response>(
      async () => {
        try {
          const signal = AbortSignal.timeout(TIMEOUT_MS);
          const response = await send(urlOf(name), { ...init, redirect: 'manual', signal });
          if (good.includes(response.status)) return { kind: 'done', value: response };
          const words = (await response.text()).slice(0, 2_000);
          return failedBy(response, words);
        } catch (cause) {
          return unreachable(cause);
        }
      },
      POLICY,
      REAL_RETRY_TOOLS,
    );
  }

  function failedBy({ status, headers }: Response, words: string): FailedAttempt {
    const mayRepeat = status === 429 || status >= 500;
    const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
    // Both answer in XML with the one word that says why.
    const code = /<Code>([A-Za-z]{1,60})<\/Code>/.exec(words)?.[1];
    return {
      kind: 'failed',
      mayRepeat,
      retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1_000 : undefined,
      toError: () =>
        new UpstreamError(`The warehouse ${description} answered ${status}${code ? ` (${code})` : ''}`, {
          system: 'warehouse',
          code: mayRepeat ? 'UPSTREAM_UNAVAILABLE' : 'UPSTREAM_REJECTED',
          retry: mayRepeat,
          statusCode: status,
          fix: 'Make sure that the bucket or container is there, and that we may read and write in it.',
        }),
    };
  }

  function unreachable(cause: unknown): FailedAttempt {
    return {
      kind: 'failed',
      mayRepeat: true,
      toError: () =>
        new UpstreamError(`The warehouse ${description} cannot be reached`, {
          system: 'warehouse',
          code: 'UPSTREAM_UNAVAILABLE',
          retry: true,
          cause,
        }),
    };
  }

  return {
    description,
    async put(name, body) {
      const headers = { 'Content-Type': 'application/octet-stream', ...putHeaders(body) };
      const response = await call(name, { method: 'PUT', headers, body: body.blob }, [200, 201]);
      await response.body?.cancel();
    },
    async read(name) {
      const response = await call(name, { method: 'GET', headers: {} }, [200, 404]);
      const text = await response.text();
      return response.status === 404 ? null : text;
    },
  };
}
