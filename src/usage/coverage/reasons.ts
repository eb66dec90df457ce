import { addMs, HOUR_MS } from '../../platform/clock.ts';

/** Where the two sources stand: which they are, and up to which ingestion time each was collected. */
export interface CoverageSources {
  billing: { source: string; collectedThrough: Date } | null;
  control: { source: string; collectedThrough: Date } | null;
}

/** What the two sources saw of one hour and model, or of a window. The facts are of the request-level log. */
export interface CoverageCounts {
  billingTokens: bigint;
  billingRequests: bigint;
  controlTokens: bigint;
  controlRequests: bigint;
  /** Requests that one source saw more of than the other. */
  missingInBilling: bigint;
  missingInControl: bigint;
  /** Answered requests without any token count, streams and others. */
  silentStreams: bigint;
  silentRequests: bigint;
  failedRequests: bigint;
  /** Streams with counts: exact in the log, estimated in the metrics. */
  streams: bigint;
  streamTokens: bigint;
  /** Requests whose gateway log holds no trace of ours, and those whose gateway log has not arrived. */
  untracedRequests: bigint;
  untracedTokens: bigint;
  unjoinedRequests: bigint;
  unjoinedTokens: bigint;
  /** Requests whose log rows add up to more than their largest row. */
  repeatedRequests: bigint;
  repeatedTokens: bigint;
}

export const DIFFERENCE_REASONS = [
  'not_collected_yet',
  'missing_in_log',
  'missing_in_metrics',
  'stream_without_usage',
  'streaming_estimate',
  'no_token_count',
  'no_trace',
  'gateway_log_late',
  'repeated_rows',
  'request_failed',
  'unexplained',
] as const;

/** One reason why the sources may differ, with how much it concerns; null where nobody can tell. */
export interface SourceDifference {
  reason: (typeof DIFFERENCE_REASONS)[number];
  requestCount: bigint | null;
  tokenCount: bigint | null;
}

/** Ordinary ingestion delay: before this much has passed, an hour's rows may still be on their way. */
const ORDINARY_DELAY_MS = HOUR_MS;

/** What can make the sources differ without being seen in requests that carry counts. */
const MAY_MOVE_TOKENS: ReadonlySet<SourceDifference['reason']> = new Set([
  'not_collected_yet',
  'missing_in_log',
  'missing_in_metrics',
  'stream_without_usage',
  'streaming_estimate',
  'no_token_count',
  'no_trace',
  'gateway_log_late',
]);

/**
 * The reasons that the counts themselves show, in the order of DIFFERENCE_REASONS. A token difference that no
 * reason can account for is `unexplained`. `hour` is the hour of the counts; null for a window.
 */
export function explainDifferences(
  sources: CoverageSources,
  counts: CoverageCounts,
  hour: Date | null,
): SourceDifference[] {
  const found: SourceDifference[] = [];
  const note = (reason: SourceDifference['reason'], requests: bigint, tokens: bigint | null) => {
    if (requests > 0n) found.push({ reason, requestCount: requests, tokenCount: tokens });
  };
  const { billing, control } = sources;
  const difference = counts.billingTokens - counts.controlTokens;
  if (control !== null) {
    const complete = hour === null ? null : addMs(hour, HOUR_MS + ORDINARY_DELAY_MS);
    const isBehind = [billing, control].some(
      (side) => complete !== null && (side === null || side.collectedThrough < complete),
    );
    if (isBehind) found.push({ reason: 'not_collected_yet', requestCount: null, tokenCount: null });
    const logBills = billing?.source === 'llm-log';
    note('missing_in_log', logBills ? counts.missingInBilling : counts.missingInControl, null);
    note('missing_in_metrics', logBills ? counts.missingInControl : counts.missingInBilling, null);
  }
  note('stream_without_usage', counts.silentStreams, null);
  note('streaming_estimate', counts.streams, counts.streamTokens);
  note('no_token_count', counts.silentRequests, null);
  note('no_trace', counts.untracedRequests, counts.untracedTokens);
  note('gateway_log_late', counts.unjoinedRequests, counts.unjoinedTokens);
  note('repeated_rows', counts.repeatedRequests, counts.repeatedTokens);
  note('request_failed', counts.failedRequests, 0n);
  const isExplained = found.some(({ reason }) => MAY_MOVE_TOKENS.has(reason));
  if (control !== null && difference !== 0n && !isExplained) {
    found.push({ reason: 'unexplained', requestCount: null, tokenCount: abs(difference) });
  }
  return found;
}

function abs(count: bigint): bigint {
  return count < 0n ? -count : count;
}
