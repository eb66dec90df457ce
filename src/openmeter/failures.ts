import { type ErrorCode, UpstreamError } from '../errors.ts';

/** Detail of a refusal is cut here before it goes into `context`, so that no log line carries a whole body. */
const DETAIL_LENGTH_MAX = 300;

/** Statuses by which OpenMeter judges the content of a request: the same content will be refused again. */
const CONTENT_STATUSES = new Set([400, 409, 412, 413, 422]);

/** Statuses that say nothing about the content, and what a person does about them. */
const ACCESS_FAILURES: Record<number, { code: ErrorCode; fix: string }> = {
  401: {
    code: 'UNAUTHENTICATED',
    fix: 'Set OPENMETER_API_KEY to a valid key of this OpenMeter (self-hosted: the one its gateway expects).',
  },
  403: {
    code: 'FORBIDDEN',
    fix: 'Give the key of OPENMETER_API_KEY the right to ingest events, query meters and manage customers.',
  },
  404: {
    code: 'NOT_FOUND',
    fix: 'Check OPENMETER_URL, an address without a path; if that is right, the meter or customer is missing there.',
  },
};
const WRONG_PLACE = {
  code: 'UPSTREAM_UNAVAILABLE' as const,
  fix: 'Check that OPENMETER_URL is the final address of an OpenMeter API (no redirect, no other site).',
};

/** What a refused or absent answer means, in one place, before the SDK can blur it. */
export interface FailedCall {
  /** `POST /api/v1/events`: method and path, never the query (it may hold subjects). */
  call: string;
  /** True when the same call may have taken effect although no good answer came. */
  outcomeUnknown: boolean;
}

/**
 * Error for an HTTP status that is not what the call expects.
 * UPSTREAM_REJECTED only when OpenMeter judged the content, so a caller may bisect on it. A wrong key, right or
 * address says nothing about the content and has a code of its own, with its fix.
 */
export function errorOfStatus(
  failed: FailedCall,
  answer: { statusCode: number; detail: string | undefined; retryAfterMs: number | undefined },
): UpstreamError {
  const { statusCode, detail, retryAfterMs } = answer;
  const shared = {
    system: 'openmeter' as const,
    statusCode,
    retryAfterMs,
    outcomeUnknown: failed.outcomeUnknown,
    context: { call: failed.call, ...(detail === undefined ? {} : { detail }) },
  };
  const message = `OpenMeter answered ${statusCode} to ${failed.call}`;
  if (statusCode === 429) {
    return new UpstreamError(message, { ...shared, code: 'UPSTREAM_THROTTLED', retry: true });
  }
  if (statusCode >= 500 || statusCode === 408) {
    return new UpstreamError(message, { ...shared, code: 'UPSTREAM_UNAVAILABLE', retry: true });
  }
  if (CONTENT_STATUSES.has(statusCode)) {
    return new UpstreamError(message, { ...shared, code: 'UPSTREAM_REJECTED', retry: false });
  }
  return new UpstreamError(message, {
    ...shared,
    ...(ACCESS_FAILURES[statusCode] ?? WRONG_PLACE),
    retry: false,
  });
}

/** Error for a call that got no whole answer: refused, reset, timed out, cut short, or given up by the caller. */
export function errorOfNetwork(failed: FailedCall, cause: unknown, reason: string): UpstreamError {
  return new UpstreamError(`OpenMeter gave no answer to ${failed.call}: ${reason}`, {
    system: 'openmeter',
    code: 'UPSTREAM_UNAVAILABLE',
    retry: true,
    outcomeUnknown: failed.outcomeUnknown,
    context: { call: failed.call, reason },
    cause,
    fix: 'Check that OPENMETER_URL is right and reachable from here.',
  });
}

/** Error for an answer that came whole but is not what the API documents. */
export function errorOfAnswer(
  call: string,
  reason: string,
  context: Record<string, unknown> = {},
): UpstreamError {
  return new UpstreamError(`OpenMeter's answer to ${call} is not usable: ${reason}`, {
    system: 'openmeter',
    code: 'UPSTREAM_REJECTED',
    retry: false,
    context: { call, reason, ...context },
  });
}

/**
 * `detail` of a problem answer, whatever its content type: the SDK fills it only when the type is exactly
 * `application/problem+json`, which a proxy's `; charset=utf-8` already breaks.
 */
export function detailOfProblem(body: string): string | undefined {
  try {
    const problem: unknown = JSON.parse(body);
    if (typeof problem !== 'object' || problem === null || !('detail' in problem)) return undefined;
    return typeof problem.detail === 'string' ? problem.detail.slice(0, DETAIL_LENGTH_MAX) : undefined;
  } catch {
    return undefined;
  }
}
