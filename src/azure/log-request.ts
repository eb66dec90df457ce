import { UpstreamError } from '../platform/errors.ts';
import { readCount, readInstant, readText } from './source-row.ts';

/** One request as its log rows tell it; counts are not judged here. */
export interface LogRequest {
  correlationId: string;
  /** Oldest first, by ingestion; each row of the table once. */
  rows: LogRow[];
  gateway: GatewayEntry | null;
}

export interface LogRow {
  itemId: string;
  startedAt: Date | null;
  loggedAt: Date;
  sequenceNumber: number;
  deployment: string;
  servedModel: string;
  isStream: boolean;
  prompt: number | string | null;
  completion: number | string | null;
  total: number | string | null;
}

interface GatewayEntry {
  responseCode: number | null;
  subscriptionId: string;
  productId: string;
  /** Metadata of our trace; null when the request passed through no policy of ours. */
  metadata: Record<string, string> | null;
}

/**
 * Gathers answer rows (columns REQUEST_COLUMNS) into requests. The join repeats a log row for each gateway
 * row of its request, and exports may repeat rows of either table; of several gateway rows the one with our
 * trace tells who called.
 * @throws UpstreamError when a row has no correlation id or no ingestion time
 */
export function readRequests(answer: readonly unknown[][], traceSource: string): LogRequest[] {
  const requests = new Map<string, LogRequest & { seen: Set<string> }>();
  for (const cells of answer) {
    const correlationId = readText(cells[1]);
    const row = readLogRow(cells);
    if (correlationId === '' || row === null) throw unreadable(correlationId);
    let request = requests.get(correlationId);
    if (request === undefined) {
      request = { correlationId, rows: [], gateway: null, seen: new Set() };
      requests.set(correlationId, request);
    }
    const gateway = readGatewayEntry(cells, traceSource);
    if (gateway !== null && (request.gateway === null || request.gateway.metadata === null)) {
      request.gateway = gateway;
    }
    if (request.seen.has(row.itemId)) continue;
    request.seen.add(row.itemId);
    request.rows.push(row);
  }
  return Array.from(requests.values(), ({ correlationId, rows, gateway }) => ({
    correlationId,
    rows: rows.sort(byIngestion),
    gateway,
  }));
}

function byIngestion(left: LogRow, right: LogRow): number {
  return (
    left.loggedAt.getTime() - right.loggedAt.getTime() ||
    left.sequenceNumber - right.sequenceNumber ||
    (left.itemId < right.itemId ? -1 : 1)
  );
}

function readLogRow(cells: readonly unknown[]): LogRow | null {
  const [itemId, , startedAt, loggedAt, sequence, deployment, model, stream, prompt, completion, total] =
    cells;
  const logged = readInstant(loggedAt);
  if (logged === null) return null;
  const row = {
    startedAt: readInstant(startedAt),
    loggedAt: logged,
    sequenceNumber: typeof sequence === 'number' ? sequence : 0,
    deployment: readText(deployment),
    servedModel: readText(model),
    isStream: /^(true|1)$/i.test(readText(stream)),
    prompt: readCount(prompt),
    completion: readCount(completion),
    total: readCount(total),
  };
  // Without ids in the table, rows that are alike in everything are one row.
  return { itemId: readText(itemId) || JSON.stringify(row), ...row };
}

function readGatewayEntry(cells: readonly unknown[], traceSource: string): GatewayEntry | null {
  const [loggedAt, responseCode, subscriptionId, productId, traceRecords] = cells.slice(11);
  if (readInstant(loggedAt) === null) return null;
  return {
    responseCode: typeof responseCode === 'number' ? responseCode : null,
    subscriptionId: readText(subscriptionId),
    productId: readText(productId),
    metadata: readMetadata(readText(traceRecords), traceSource),
  };
}

/**
 * `TraceRecords` is a list of `{source, message, metadata}`; other policies write into it as well. Ours may write twice: who
 * calls, and later what the model's answer says of its usage. The first word on anything counts.
 */
function readMetadata(text: string, traceSource: string): Record<string, string> | null {
  let records: unknown;
  try {
    records = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(records)) return null;
  const found = (records as { source?: unknown; metadata?: unknown }[]).flatMap((record) =>
    record?.source === traceSource && typeof record.metadata === 'object' ? [record.metadata ?? {}] : [],
  );
  if (found.length === 0) return null;
  const entries = found.reverse().flatMap((metadata) => Object.entries(metadata));
  return Object.fromEntries(entries.map(([name, value]) => [name, readText(value)]));
}

function unreadable(correlationId: string): UpstreamError {
  return new UpstreamError(
    `A row of the LLM log came without ${correlationId === '' ? 'its correlation id' : 'its ingestion time'}`,
    {
      system: 'azure',
      code: 'UPSTREAM_REJECTED',
      retry: false,
      context: { correlationId },
      fix: 'Run the request query of docs/azure.md in the portal: CorrelationId and loggedAt must be filled.',
    },
  );
}
