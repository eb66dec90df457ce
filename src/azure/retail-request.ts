import { UpstreamError } from '../platform/errors.ts';
import { readRetryAfterMs } from './failure.ts';
import type { ReadAttempt } from './retry.ts';

export type RetailFetch = (input: URL, init: RequestInit) => Promise<Response>;

/**
 * Gets one page as text, once. Redirects are not followed: the list has one address. Nothing here changes anything,
 * so that every failure but a refusal may be tried again.
 */
export async function fetchBounded(
  send: RetailFetch,
  url: URL,
  limits: { timeoutMs: number; byteLimit: number; signal: AbortSignal | undefined },
): Promise<ReadAttempt<string>> {
  const timeout = AbortSignal.timeout(limits.timeoutMs);
  const signal = limits.signal === undefined ? timeout : AbortSignal.any([timeout, limits.signal]);
  try {
    const response = await send(url, {
      headers: { Accept: 'application/json' },
      redirect: 'manual',
      signal,
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      return { kind: 'failed', error: errorOfStatus(response) };
    }
    const text = await readBounded(response, limits.byteLimit);
    if (text === null) {
      return { kind: 'failed', error: refused('The price list has a page over the size limit') };
    }
    return { kind: 'done', value: text };
  } catch (cause) {
    limits.signal?.throwIfAborted();
    const message = timeout.aborted
      ? `The price list did not answer within ${limits.timeoutMs} ms`
      : 'The price list cannot be reached';
    return { kind: 'failed', error: unavailable(message, undefined, cause) };
  }
}

/** The body as text, or null when it has more bytes than allowed. */
async function readBounded(response: Response, byteLimit: number): Promise<string | null> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  let byteCount = 0;
  for await (const chunk of response.body ?? []) {
    byteCount += chunk.byteLength;
    if (byteCount > byteLimit) return null;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function errorOfStatus(response: Response): UpstreamError {
  const { status } = response;
  if (status === 429) {
    return new UpstreamError('The price list is throttling us', {
      system: 'azure',
      code: 'UPSTREAM_THROTTLED',
      retry: true,
      statusCode: status,
      retryAfterMs: readRetryAfterMs(response.headers.get('retry-after')),
    });
  }
  if (status >= 500 || status === 408) return unavailable(`The price list failed (${status})`, status);
  return refused(`The price list refused the question (${status})`, status);
}

function refused(message: string, statusCode?: number): UpstreamError {
  return new UpstreamError(message, {
    system: 'azure',
    code: 'UPSTREAM_REJECTED',
    retry: false,
    statusCode,
    fix: 'Check AZURE_RETAIL_PRICES_URL; it is the host alone, e.g. https://prices.azure.com.',
  });
}

function unavailable(message: string, statusCode: number | undefined, cause?: unknown): UpstreamError {
  return new UpstreamError(message, {
    system: 'azure',
    code: 'UPSTREAM_UNAVAILABLE',
    retry: true,
    statusCode,
    cause,
    fix: 'Check AZURE_RETAIL_PRICES_URL and the way there; set it to off to do without.',
  });
}
