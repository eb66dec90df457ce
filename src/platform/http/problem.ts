import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ZodError } from 'zod';
import { type ErrorCode, TallystickError, UpstreamError } from '../errors.ts';
import type { ApiEnvironment } from './dependencies.ts';

export type ProblemCode = ErrorCode | 'METHOD_NOT_ALLOWED';

const STATUS_AND_TITLE: Record<ProblemCode, [ContentfulStatusCode, string]> = {
  VALIDATION: [400, 'The request is not valid'],
  UNAUTHENTICATED: [401, 'A valid API key is needed'],
  FORBIDDEN: [403, 'The API key may not do this'],
  NOT_FOUND: [404, 'There is nothing here'],
  UNKNOWN_CUSTOMER: [404, 'No such customer'],
  METHOD_NOT_ALLOWED: [405, 'This method is not offered here'],
  CONFLICT: [409, 'The request conflicts with what is stored'],
  PERIOD_CLOSED: [409, 'The period is closed'],
  STALE_LEASE: [409, 'Another runner owns this step'],
  PAYLOAD_TOO_LARGE: [413, 'The body is too large'],
  UNKNOWN_MODEL: [422, 'No price is known for a model'],
  UNKNOWN_PLAN: [422, 'No such plan'],
  UNKNOWN_CURRENCY: [422, 'Nothing is sold in this currency'],
  UNKNOWN_FEATURE: [422, 'No such feature was used'],
  NOT_ENOUGH_DATA: [422, 'There is not enough usage to tell from'],
  CONFIG: [500, 'The service is not configured for this'],
  DRIFT: [500, 'Totals do not agree'],
  DATA_DIRECTORY_BUSY: [500, 'The data directory is in use'],
  LEDGER_TOO_NEW: [500, 'The ledger is newer than the service'],
  UNKNOWN_STEP: [500, 'The queue holds a job of no known step'],
  INTERNAL: [500, 'Something went wrong on our side'],
  UPSTREAM_REJECTED: [502, 'An outside system refused'],
  PARTIAL_RESULT: [503, 'An outside system answered in part'],
  UPSTREAM_THROTTLED: [503, 'An outside system asks us to wait'],
  UPSTREAM_UNAVAILABLE: [503, 'An outside system does not answer'],
};

export const ProblemSchema = z
  .object({
    type: z.string().openapi({ description: 'Stable URN of the kind of problem.' }),
    title: z.string(),
    status: z.int(),
    code: z.string().openapi({ description: 'Stable code, e.g. UNKNOWN_MODEL.' }),
    detail: z.string(),
    requestId: z.string(),
    errors: z
      .array(z.object({ field: z.string(), message: z.string(), fix: z.string().optional() }))
      .optional()
      .openapi({ description: 'One entry for each field that is wrong.' }),
  })
  .openapi('Problem');

export type FieldProblem = { field: string; message: string; fix?: string };

/** An answer of `application/problem+json` (RFC 9457). */
export function problemResponse(
  context: Context<ApiEnvironment>,
  code: ProblemCode,
  detail: string,
  options: { errors?: FieldProblem[]; headers?: Record<string, string> } = {},
): Response {
  const [status, title] = STATUS_AND_TITLE[code];
  const body = {
    type: `urn:tallystick:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    code,
    detail,
    requestId: context.get('requestId') ?? '',
    ...(options.errors === undefined ? {} : { errors: options.errors }),
  };
  const headers = { ...options.headers, 'Content-Type': 'application/problem+json' };
  return context.body(JSON.stringify(body), status, headers);
}

/** Codes whose message was written for the caller. Others may quote an outside system or our insides. */
const SPEAKS_TO_CALLER = new Set<ErrorCode>([
  'VALIDATION',
  'NOT_FOUND',
  'UNKNOWN_CUSTOMER',
  'UNKNOWN_MODEL',
  'UNKNOWN_PLAN',
  'UNKNOWN_CURRENCY',
  'UNKNOWN_FEATURE',
  'NOT_ENOUGH_DATA',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'CONFLICT',
  'PAYLOAD_TOO_LARGE',
  'PERIOD_CLOSED',
]);

/** The one place where an error of the house becomes an answer. */
export function problemFromError(context: Context<ApiEnvironment>, error: TallystickError): Response {
  const headers: Record<string, string> = {};
  if (error.code === 'UNAUTHENTICATED') headers['WWW-Authenticate'] = 'Bearer realm="tallystick"';
  if (error instanceof UpstreamError && STATUS_AND_TITLE[error.code][0] === 503) {
    headers['Retry-After'] = String(Math.max(1, Math.ceil((error.retryAfterMs ?? 5_000) / 1_000)));
  }
  if (!SPEAKS_TO_CALLER.has(error.code)) {
    const system = error instanceof UpstreamError ? ` (${error.system})` : '';
    return problemResponse(
      context,
      error.code,
      `${STATUS_AND_TITLE[error.code][1]}${system}. The log has the cause under this request id.`,
      { headers },
    );
  }
  const field = error.context.field;
  const errors =
    typeof field === 'string'
      ? [{ field, message: error.message, ...(error.fix === undefined ? {} : { fix: error.fix }) }]
      : (error.context.errors as FieldProblem[] | undefined);
  const detail = error.fix === undefined ? error.message : `${error.message} ${error.fix}`;
  return problemResponse(context, error.code, detail, {
    ...(errors === undefined ? {} : { errors }),
    headers,
  });
}

/** Every field that does not fit the schema, as one error of the house. */
export function errorFromZod(target: string, error: ZodError): TallystickError {
  const errors = error.issues.flatMap((issue): FieldProblem[] => {
    const path = issue.path.map(String);
    const at = (...parts: string[]) => [...path, ...parts].join('.') || target;
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        field: at(key),
        message: 'is no field that we know',
        fix: 'Leave it out, or correct its name; /docs lists the fields.',
      }));
    }
    return [{ field: at(), message: issue.message }];
  });
  return new TallystickError(
    `${errors.length === 1 ? 'One field is' : `${errors.length} fields are`} wrong: ${errors
      .slice(0, 5)
      .map((entry) => `${entry.field}: ${entry.message}`)
      .join('; ')}`,
    { code: 'VALIDATION', retry: false, context: { errors: errors.slice(0, 50) } },
  );
}
