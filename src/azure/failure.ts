import { UpstreamError } from '../platform/errors.ts';

/** Why a slice must be split rather than asked again. */
export type SplitReason = 'partial' | 'timeout' | 'too_large';

export type Failure = { kind: 'split'; reason: SplitReason } | { kind: 'error'; error: UpstreamError };

/** The parts of the SDK's RestError that we read. */
interface RestFailure {
  name?: string;
  code?: string;
  statusCode?: number;
  response?: { bodyAsText?: string | null; headers?: { get(name: string): string | undefined } };
}

/** Codes and phrases by which the engine says that an answer would be too large or cost too much memory. */
const TOO_LARGE =
  /RESULT_SET_TOO_LARGE|ResponseSizeError|ResponsePayloadTooLarge|E_LOW_MEMORY|E_RUNAWAY|exceeds? the (maximal|set) (size|limit)/i;

const FIXES: Record<number, string> = {
  400: 'The query was refused: check METRIC_NAMESPACE and the DIMENSION_ variables, and that the workspace has the AppMetrics table.',
  401: 'Sign in: set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or use a managed identity), and for a sovereign cloud AZURE_LOGS_AUDIENCE.',
  403: 'Give this identity the role Log Analytics Reader on the workspace (or on the Application Insights resource); a new assignment can take an hour.',
  404: 'Check AZURE_LOGS_WORKSPACE_ID: it is the workspace id, a GUID, not the name; or AZURE_LOGS_RESOURCE_ID and AZURE_LOGS_ENDPOINT.',
};

/**
 * Judges whatever a query call threw. Everything here is a read, so a failure never leaves its outcome
 * in doubt; raw bodies stay out of messages.
 */
export function classifyFailure(thrown: unknown): Failure {
  const failure = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as RestFailure;
  const status = failure.statusCode;
  const code = readErrorCode(failure);
  if (isCredentialFailure(failure)) return reject('No Azure credential was accepted', 401, thrown);
  if (status === 504) return { kind: 'split', reason: 'timeout' };
  if (status === 413 || (status === 400 && TOO_LARGE.test(failure.response?.bodyAsText ?? ''))) {
    return { kind: 'split', reason: 'too_large' };
  }
  if (status === 429) {
    const retryAfterMs = readRetryAfterMs(failure.response?.headers?.get('retry-after'));
    return {
      kind: 'error',
      error: new UpstreamError('Azure Monitor Logs is throttling our queries', {
        system: 'azure',
        code: 'UPSTREAM_THROTTLED',
        retry: true,
        statusCode: 429,
        retryAfterMs,
        cause: thrown,
      }),
    };
  }
  if (status !== undefined && status >= 400 && status < 500 && status !== 408) {
    return reject(
      `Azure Monitor Logs refused the query (${status}${code === '' ? '' : ` ${code}`})`,
      status,
      thrown,
    );
  }
  const answered = status !== undefined && status >= 200 && status < 300;
  const message =
    answered || thrown instanceof SyntaxError || thrown instanceof TypeError
      ? 'Azure Monitor Logs gave an answer without a readable result'
      : `Azure Monitor Logs did not answer${status === undefined ? '' : ` (${status})`}`;
  return { kind: 'error', error: unavailable(message, status, thrown) };
}

export function unavailable(message: string, statusCode?: number, cause?: unknown): UpstreamError {
  return new UpstreamError(message, {
    system: 'azure',
    code: 'UPSTREAM_UNAVAILABLE',
    retry: true,
    statusCode,
    cause,
    fix: 'Check AZURE_LOGS_ENDPOINT and the way there; if both are right, wait: the window is asked for again.',
  });
}

function reject(message: string, statusCode: number, cause: unknown): Failure {
  const fix = FIXES[statusCode];
  return {
    kind: 'error',
    error: new UpstreamError(message, {
      system: 'azure',
      code: 'UPSTREAM_REJECTED',
      retry: false,
      statusCode,
      cause,
      ...(fix === undefined ? {} : { fix }),
    }),
  };
}

/** Errors of @azure/identity by name, so that its large module need not be loaded to recognise them. */
function isCredentialFailure(failure: RestFailure): boolean {
  return (
    failure.name === 'CredentialUnavailableError' ||
    failure.name === 'AuthenticationRequiredError' ||
    failure.name === 'AggregateAuthenticationError' ||
    (failure.name === 'AuthenticationError' && (failure.statusCode ?? 0) < 500)
  );
}

/** The service's own error code, e.g. InsufficientAccessError; empty when there is none. */
function readErrorCode(failure: RestFailure): string {
  try {
    const body: unknown = JSON.parse(failure.response?.bodyAsText ?? '');
    const code = (body as { error?: { code?: unknown } } | null)?.error?.code;
    return typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : '';
  } catch {
    return '';
  }
}

/** Retry-After in seconds or as a date; absent, unreadable and past ones are undefined. */
export function readRetryAfterMs(header: string | null | undefined): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const instantMs = Date.parse(text);
  return Number.isNaN(instantMs) ? undefined : Math.max(0, instantMs - Date.now());
}
