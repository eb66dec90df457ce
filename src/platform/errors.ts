import { Refusal } from '../../pricing/refusal.ts';

/**
 * The one error system of the house. Every error says what went wrong (`code`, stable), whether the same
 * call may be tried again (`retry`), and what is safe to log (`context`: never secrets, never raw bodies).
 */
export type ErrorCode =
  | 'CONFIG'
  | 'VALIDATION'
  | 'NOT_FOUND'
  | 'UNKNOWN_CUSTOMER'
  | 'UNKNOWN_MODEL'
  | 'UNKNOWN_PLAN'
  | 'UNKNOWN_CURRENCY'
  | 'UNKNOWN_FEATURE'
  | 'NOT_ENOUGH_DATA'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'CONFLICT'
  | 'PAYLOAD_TOO_LARGE'
  | 'UPSTREAM_THROTTLED'
  | 'UPSTREAM_UNAVAILABLE'
  | 'UPSTREAM_REJECTED'
  | 'PARTIAL_RESULT'
  | 'STALE_LEASE'
  | 'UNKNOWN_STEP'
  | 'DRIFT'
  | 'PERIOD_CLOSED'
  | 'DATA_DIRECTORY_BUSY'
  | 'LEDGER_TOO_NEW'
  | 'INTERNAL';

export type OutsideSystem = 'azure' | 'openmeter' | 'stripe' | 'postgres' | 'redis' | 'warehouse';

export interface TallystickErrorOptions {
  code: ErrorCode;
  retry: boolean;
  context?: Record<string, unknown>;
  /** What a person can do about it; shown by the API and the command line. */
  fix?: string;
  cause?: unknown;
}

export class TallystickError extends Error {
  override readonly name: string = 'TallystickError';
  readonly code: ErrorCode;
  readonly retry: boolean;
  readonly context: Record<string, unknown>;
  readonly fix: string | undefined;

  constructor(message: string, options: TallystickErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.retry = options.retry;
    this.context = options.context ?? {};
    this.fix = options.fix;
  }
}

/** Caller's input is wrong; `field` names where, `fix` what to send instead. */
export class ValidationError extends TallystickError {
  override readonly name = 'ValidationError';
  constructor(field: string, message: string, fix?: string) {
    super(`${field}: ${message}`, {
      code: 'VALIDATION',
      retry: false,
      context: { field },
      ...(fix === undefined ? {} : { fix }),
    });
  }
}

export interface UpstreamErrorOptions extends Omit<TallystickErrorOptions, 'context'> {
  system: OutsideSystem;
  statusCode?: number | undefined;
  /** How long the outside system asked us to wait, in milliseconds. */
  retryAfterMs?: number | undefined;
  /** True when the call may have taken effect although no answer came (timeout, reset, truncated body). */
  outcomeUnknown?: boolean;
  context?: Record<string, unknown>;
}

/** An outside system refused, throttled, or did not answer. */
export class UpstreamError extends TallystickError {
  override readonly name = 'UpstreamError';
  readonly system: OutsideSystem;
  readonly statusCode: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly outcomeUnknown: boolean;

  constructor(message: string, options: UpstreamErrorOptions) {
    super(message, {
      ...options,
      context: { ...options.context, system: options.system, statusCode: options.statusCode },
    });
    this.system = options.system;
    this.statusCode = options.statusCode;
    this.retryAfterMs = options.retryAfterMs;
    this.outcomeUnknown = options.outcomeUnknown ?? false;
  }
}

/** Our own errors pass, and what pricing refuses; anything else becomes INTERNAL with the original as `cause`. */
export function toTallystickError(error: unknown): TallystickError {
  if (error instanceof TallystickError) return error;
  if (error instanceof Refusal) {
    const { code, field, errors, fix } = error;
    const context = field === undefined ? { errors } : { field };
    return new TallystickError(error.message, {
      code,
      retry: false,
      context,
      cause: error,
      ...(fix === undefined ? {} : { fix }),
    });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new TallystickError(message, { code: 'INTERNAL', retry: true, cause: error });
}

/**
 * What is thrown where something was to be taken whole and is wrong in places: the message tells the first three, the context all.
 * @param count of what is wrong, where not all of it is listed
 */
export function nothingApplied(
  errors: readonly { field: string; message: string; fix?: string }[],
  { code = 'VALIDATION', count = errors.length }: { code?: ErrorCode; count?: number } = {},
): TallystickError {
  const things = count === 1 ? 'One thing is' : `${count} things are`;
  const sentences = errors
    .slice(0, 3)
    .map(({ field, message, fix }) => `${field}: ${message}. ${fix ?? ''}`.trim());
  return new TallystickError(`${things} wrong, and nothing was applied. ${sentences.join(' ')}`, {
    code,
    retry: false,
    context: { errors },
  });
}
