import type { Providers } from '../../pricing/usage/providers.ts';
import { byDimension, FIGURES, SOURCE_FIGURES } from '../../pricing/usage/shape.ts';
import type { DimensionNames } from './kql.ts';
import type { LogRequest, LogRow } from './log-request.ts';
import type { RequestFacts, SourceRow } from './source.ts';

/** The three counts of a log row, under the names that the metrics have: the collector knows no difference. */
const METRICS = [
  ['prompt', FIGURES.prompt.metricNames[0]],
  ['completion', FIGURES.completion.metricNames[0]],
  ['total', FIGURES.total.metricNames[0]],
] as const;
/** What a log row has no column for, and a trace of the answer's usage may tell: under the names that events have. */
const TRACED = SOURCE_FIGURES.filter((name) => name !== 'prompt' && name !== 'completion').flatMap((name) => {
  const [metricName] = FIGURES[name].metricNames;
  return metricName === undefined ? [] : [{ name, field: FIGURES[name].eventField, metricName }];
});
type Counts = Record<(typeof METRICS)[number][0], number>;
/** Of one row; null: it tells no total. */
type RowCounts = Omit<Counts, 'total'> & { total: number | null };

export interface RequestRowOptions {
  dimensions: DimensionNames;
  /** Failed requests without tokens are no usage; a control counts them all the same. */
  keepFailed: boolean;
  /** Whether a total that the log does not tell has parts beside the prompt in it. */
  providers: Providers;
}

/**
 * One request as source rows. Of several log rows the largest counts, not the sum: later rows carry only what
 * they add to the largest before them. Rows are taken in the order of ingestion, so a row that comes later
 * changes none of the rows before it, and each keeps its id: the correlation id, then `#1`, `#2` and so on.
 *
 * A request without tokens is one row with a fault: the model answered and nobody knows how much. Where the log tells no
 * total, the row that stands for the request has the sum of what was told; it says nothing that the others do not.
 */
export function describeRequest(request: LogRequest, options: RequestRowOptions): SourceRow[] {
  const first = request.rows[0];
  if (first === undefined) return [];
  const facts = describeFacts(request);
  const base = {
    ...describeCaller(request, first, options.dimensions),
    eventTime: first.startedAt,
    request: facts,
  };
  const row = (log: LogRow, id: string, metricName: string, sum: SourceRow['sum'], itemCount: number) => ({
    ...base,
    sourceItemId: id,
    ingestedAt: log.loggedAt,
    metricName,
    sum,
    itemCount,
  });
  const { correlationId } = request;
  const traced = tracedParts(request);
  const beside = sumBeside(traced, options.providers, base.model);
  const rows: SourceRow[] = [];
  const largest: Counts = { prompt: 0, completion: 0, total: 0 };
  let raiseCount = 0;
  for (const log of request.rows) {
    // What is no count is judged on its own, under an id of its own.
    for (const [count, name] of METRICS) {
      if (!isSound(log[count])) rows.push(row(log, `${correlationId}#${log.itemId}`, name, log[count], 1));
    }
    const told = readCounts(log);
    const sum = Math.max(told.prompt, largest.prompt) + Math.max(told.completion, largest.completion);
    const counts = { ...told, total: told.total ?? (sum > 0 ? sum + beside : 0) };
    const raised = METRICS.filter(([count]) => counts[count] > largest[count]);
    if (raised.length === 0) continue;
    const id = raiseCount === 0 ? correlationId : `${correlationId}#${raiseCount}`;
    for (const [count, name] of raised) {
      rows.push(row(log, id, name, counts[count] - largest[count], raiseCount === 0 ? 1 : 0));
      largest[count] = counts[count];
    }
    if (raiseCount === 0) rows.push(...traced.map((part) => row(log, id, part.metricName, part.sum, 1)));
    raiseCount += 1;
  }
  if (rows.length > 0) return rows;
  const failed = (facts.responseCode ?? 0) >= 400;
  if (failed && !options.keepFailed) return [];
  const fault = failed ? 'request_failed' : 'no_token_count';
  return [{ ...row(first, correlationId, FIGURES.total.metricNames[0], 0, 1), fault }];
}

/** Parts that the trace tells, none of them too; what it does not tell has no row. */
function tracedParts({ gateway }: LogRequest) {
  const metadata = gateway?.metadata ?? {};
  return TRACED.flatMap(({ name, field, metricName }) => {
    const sum = metadata[field] ?? '';
    return sum === '' ? [] : [{ name, metricName, sum }];
  });
}

/** Tokens that a total has beside prompt and completion, as the model's maker counts; none where nobody named it. */
function sumBeside(traced: ReturnType<typeof tracedParts>, providers: Providers, model: string): number {
  const rule = providers.ruleOf(model);
  if (rule === null || !rule.totals.includes('with-cache')) return 0;
  return traced.reduce(
    (total, { name, sum }) =>
      rule.apart.includes(name) && /^\d{1,15}$/.test(sum) ? total + Number(sum) : total,
    0,
  );
}

function describeCaller(request: LogRequest, first: LogRow, names: DimensionNames) {
  const metadata = request.gateway?.metadata ?? {};
  return {
    ...byDimension((name) => metadata[names[name]] ?? ''),
    tenantKey: metadata[names.tenant] ?? '',
    // The served model has a version in its name; the policy says under which name it is priced.
    model: metadata[names.model] || first.servedModel,
    deployment: metadata[names.deployment] || first.deployment,
  };
}

function describeFacts(request: LogRequest): RequestFacts {
  const { rows, gateway } = request;
  const totals = rows.map((log) => {
    const { prompt, completion } = readCounts(log);
    return prompt + completion;
  });
  const sum = totals.reduce((total, tokens) => total + tokens, 0);
  return {
    isStream: rows.some((log) => log.isStream),
    hasTokens: sum > 0,
    hasGatewayLog: gateway !== null,
    hasTrace: gateway?.metadata != null,
    responseCode: gateway?.responseCode ?? null,
    subscriptionId: gateway?.subscriptionId ?? '',
    productId: gateway?.productId ?? '',
    servedModel: rows.find((log) => log.servedModel !== '')?.servedModel ?? '',
    repeatedTokenCount: sum - Math.max(...totals),
  };
}

/** Rows that hold pieces of messages have no counts: null is none. */
function readCounts(log: LogRow): RowCounts {
  const count = (value: LogRow['prompt']) => (typeof value === 'number' && isSound(value) ? value : 0);
  return { prompt: count(log.prompt), completion: count(log.completion), total: count(log.total) || null };
}

function isSound(value: LogRow['prompt']): boolean {
  return value === null || (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0);
}
