import { UpstreamError } from '../platform/errors.ts';

/** Detail of a refusal is cut here before it goes into `context`, so that no log line carries a whole body. */
const DETAIL_LENGTH_MAX = 300;

/** Statuses by which OpenMeter judges the content of a request: the same content will be refused again. */
const CONTENT_STATUSES = new Set([400, 409, 412, 413, 422]);

/**
 * What a person does about the statuses that say nothing about the content. Usage must wait for the right key
 * or address, so these are UPSTREAM_UNAVAILABLE and never a reason to set an event aside.
 */
const ACCESS_FIXES: Record<number, string> = {
  401: 'Set OPENMETER_API_KEY to a valid key of this OpenMeter (self-hosted: the one its gateway expects).',
  403: 'Give the key of OPENMETER_API_KEY the right to ingest events, query meters and manage customers.',
  404: 'Check OPENMETER_URL, an address without a path; if that is right, the meter or customer is missing there.',
};
const WRONG_PLACE_FIX =
  'Check that OPENMETER_URL is the final address of an OpenMeter API (no redirect, no other site).';

/** What a refused or absent answer means, in one place, before the SDK can blur it. */
export interface FailedCall {
  /** `POST /api/v1/events`: method and path, never the query (it may hold subjects). */
  call: string;
  /** True when the same call may have taken effect although no good answer came. */
  outcomeUnknown: boolean;
}

/**
 * Error for an HTTP status that is not what the call expects: UPSTREAM_REJECTED only when OpenMeter judged the
 * content, so that a caller may bisect on it; UPSTREAM_THROTTLED; everything else UPSTREAM_UNAVAILABLE.
 */
export function errorOfStatus(
  failed: FailedCall,
  answer: { statusCode: number; detail: string | undefined; retryAfterMs: number | undefined },
): UpstreamError {
  const { statusCode, detail, retryAfterMs } = answer;
  const message = `OpenMeter answered ${statusCode} to ${failed.call}`;
  const shared = {
    system: 'openmeter' as const,
    statusCode,
    retryAfterMs,
    outcomeUnknown: failed.outcomeUnknown,
    context: { call: failed.call, ...(detail === undefined ? {} : { detail }) },
  };
  if (statusCode === 429) {
    return new UpstreamError(message, { ...shared, code: 'UPSTREAM_THROTTLED', retry: true });
  }
  if (CONTENT_STATUSES.has(statusCode)) {
    return new UpstreamError(message, { ...shared, code: 'UPSTREAM_REJECTED', retry: false });
  }
  const isOutage = statusCode >= 500 || statusCode === 408;
  return new UpstreamError(message, {
    ...shared,
    code: 'UPSTREAM_UNAVAILABLE',
    retry: true,
    ...(isOutage ? {} : { fix: ACCESS_FIXES[statusCode] ?? WRONG_PLACE_FIX }),
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

/** Error for a whole answer that is not OpenMeter's at all, e.g. a proxy's page with status 200. */
export function errorOfForeignAnswer(call: string, reason: string): UpstreamError {
  return new UpstreamError(`The answer to ${call} is not OpenMeter's: ${reason}`, {
    system: 'openmeter',
    code: 'UPSTREAM_UNAVAILABLE',
    retry: true,
    context: { call, reason },
    fix: WRONG_PLACE_FIX,
  });
}

/** Error for an answer of OpenMeter that says something we cannot bill by. */
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
