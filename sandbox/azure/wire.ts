import type { AzureFault } from './faults.ts';
import { type KqlError, type ResultTable, toWire } from './kql/value.ts';

export interface WireError {
  code: string;
  message: string;
  innererror?: { code: string; message: string };
}

/** The body of a 200. `error` beside `tables` is how the service says that the tables are not complete. */
export function describeTable(table: ResultTable, error?: WireError): unknown {
  return {
    tables: [
      {
        name: 'PrimaryResult',
        columns: table.columns,
        rows: table.rows.map((row) =>
          row.map((value, index) => toWire(table.columns[index]?.type ?? 'string', value)),
        ),
      },
    ],
    ...(error === undefined ? {} : { error }),
  };
}

export function partialError(reason: string): WireError {
  return {
    code: 'PartialError',
    message: 'There were some errors when processing your query.',
    innererror: { code: 'EngineError', message: reason },
  };
}

export function describeQueryError(error: KqlError): WireError {
  return {
    code: 'BadArgumentError',
    message: 'The request had some invalid properties',
    innererror: {
      code: error.kind,
      message:
        error.kind === 'SyntaxError'
          ? `A recognition error occurred in the query. ${error.message}`
          : error.message,
    },
  };
}

interface ErrorAnswer {
  status: 400 | 401 | 403 | 404 | 429 | 503 | 504;
  /** Seconds, as the header has them. */
  retryAfter?: string;
  error: WireError;
}

interface EmptyAnswer {
  status: 200 | 204;
  error?: never;
}

/** The faults that are answers without a table. */
export const FAULT_ANSWERS: Partial<Record<AzureFault, ErrorAnswer | EmptyAnswer>> = {
  timeout: {
    status: 504,
    error: { code: 'GatewayTimeout', message: 'Gateway timeout' },
  },
  throttled: {
    status: 429,
    error: { code: 'ThrottledError', message: 'Rate limit is exceeded. Try again later.' },
  },
  throttled_with_retry_after: {
    status: 429,
    retryAfter: '1',
    error: { code: 'ThrottledError', message: 'Rate limit is exceeded. Try again in 1 seconds.' },
  },
  unavailable: {
    status: 503,
    error: { code: 'ServiceUnavailable', message: 'The service is temporarily unavailable.' },
  },
  empty: { status: 200 },
  no_content: { status: 204 },
  too_large: {
    status: 400,
    error: {
      code: 'BadArgumentError',
      message: 'The request had some invalid properties',
      innererror: {
        code: 'ResponseSizeError',
        message: 'The result set exceeds the maximal size (E_QUERY_RESULT_SET_TOO_LARGE)',
      },
    },
  },
  bad_query: {
    status: 400,
    error: {
      code: 'BadArgumentError',
      message: 'The request had some invalid properties',
      innererror: {
        code: 'SemanticError',
        message: "'where' operator: Failed to resolve table or column expression named 'AppMetrics'",
      },
    },
  },
  unauthenticated: {
    status: 401,
    error: { code: 'InvalidAuthenticationToken', message: 'The access token is invalid.' },
  },
  forbidden: {
    status: 403,
    error: {
      code: 'InsufficientAccessError',
      message: 'The provided credentials have insufficient access to perform the requested operation',
    },
  },
  not_found: {
    status: 404,
    error: { code: 'PathNotFoundError', message: 'The requested path does not exist' },
  },
};
