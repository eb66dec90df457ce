import type { HttpClient } from '@azure/core-rest-pipeline';
import type { TokenCredential } from '@azure/identity';
// The package is in maintenance; this file is the only one that knows it, so that its successor needs one change.
import { LogsQueryClient, LogsQueryResultStatus } from '@azure/monitor-query';
import { REAL_RETRY_TOOLS, type RetryPolicy, type RetryTools } from '../platform/retry.ts';
import { createCredential } from './credential.ts';
import { classifyFailure, type SplitReason, unavailable } from './failure.ts';
import { createLimiter } from './limiter.ts';
import { createLoopbackHttpClient, disguiseEndpoint } from './loopback-http.ts';
import { DEFAULT_RETRY_POLICY, type ReadAttempt, retryRead } from './retry.ts';

/** Where queries go: a workspace (table AppMetrics) or an ARM resource. */
export type LogsTarget = { workspaceId: string } | { resourceId: string };

export interface LogsClientOptions {
  target: LogsTarget;
  /** Host of the query API, e.g. https://api.loganalytics.io; plain http for loopback only. */
  endpoint: string;
  /** Whom the token is for; needed in sovereign clouds. */
  audience?: string;
  credential?: TokenCredential;
  retryPolicy?: Partial<RetryPolicy>;
  retryTools?: Partial<RetryTools>;
  /** What really sends; the SDK's own client by default. */
  httpClient?: HttpClient;
}

/** A complete result, or the word that the slice must be split. */
export type LogsAnswer = { kind: 'complete'; rows: unknown[][] } | { kind: 'split'; reason: SplitReason };

interface LogsRequest {
  query: string;
  /** Names of the answer's columns, in order; an answer with others is not accepted. */
  columns: readonly string[];
  /** Limits event times in addition to the query; a little wider than the query's own bounds. */
  timespan: { startTime: Date; endTime: Date };
}

export interface LogsClient {
  /** @throws UpstreamError throttled, unavailable (both after retries) or rejected; the signal's reason */
  query(request: LogsRequest, signal?: AbortSignal): Promise<LogsAnswer>;
}

/** The service lets one principal run five queries at once; one is left for people. */
const CONCURRENT_QUERIES = 4;

/** How long the service may work on one query: its own default. Longer ones are better split. */
const SERVER_TIMEOUT_SECONDS = 180;

/** How much later than the service we give up on an answer. */
const ANSWER_GRACE_MS = 20_000;

export function createLogsClient(options: LogsClientOptions): LogsClient {
  const plainHttp = options.endpoint.startsWith('http:');
  const httpClient = options.httpClient ?? (plainHttp ? createLoopbackHttpClient() : undefined);
  const client = new LogsQueryClient(options.credential ?? createCredential(options.endpoint), {
    endpoint: disguiseEndpoint(options.endpoint),
    ...(options.audience === undefined ? {} : { audience: options.audience }),
    ...(httpClient === undefined ? {} : { httpClient }),
    // The SDK repeats a ten-minute 504 three times and a 429 without Retry-After not at all.
    retryOptions: { maxRetries: 0 },
  });
  const policy = { ...DEFAULT_RETRY_POLICY, ...options.retryPolicy };
  const tools = { ...REAL_RETRY_TOOLS, ...options.retryTools };
  const limit = createLimiter(CONCURRENT_QUERIES);

  const attempt = async (
    request: LogsRequest,
    remainingMs: number,
    signal: AbortSignal | undefined,
  ): Promise<ReadAttempt<LogsAnswer>> => {
    const timeoutMs = Math.min(remainingMs, SERVER_TIMEOUT_SECONDS * 1_000 + ANSWER_GRACE_MS);
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)));
    const settings = {
      serverTimeoutInSeconds: SERVER_TIMEOUT_SECONDS,
      // The SDK's mappers walk over every character of every cell (measured: 100 ms for 1,000 rows, against
      // 3 ms without) and then parse the body a second time for the tables. Errors keep their mappers.
      requestOptions: { shouldDeserialize: (response: { status: number }) => response.status !== 200 },
      abortSignal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    };
    try {
      const { target } = options;
      const result =
        'workspaceId' in target
          ? await client.queryWorkspace(target.workspaceId, request.query, request.timespan, settings)
          : await client.queryResource(target.resourceId, request.query, request.timespan, settings);
      // A partial failure comes as HTTP 200 with some of the rows; none of them may be used.
      if (result.status !== LogsQueryResultStatus.Success) {
        return { kind: 'done', value: { kind: 'split', reason: 'partial' } };
      }
      const table = result.tables[0];
      const names = table?.columnDescriptors.map((column) => column.name).join(',');
      if (table === undefined || names !== request.columns.join(',')) {
        return { kind: 'failed', error: unavailable('Azure Monitor Logs answered with other columns', 200) };
      }
      return { kind: 'done', value: { kind: 'complete', rows: table.rows } };
    } catch (thrown) {
      signal?.throwIfAborted();
      const failure = classifyFailure(thrown);
      return failure.kind === 'split'
        ? { kind: 'done', value: failure }
        : { kind: 'failed', error: failure.error };
    }
  };

  return {
    query: (request, signal) =>
      limit(
        () => retryRead((remainingMs) => attempt(request, remainingMs, signal), policy, tools, signal),
        signal,
      ),
  };
}
