import type { GatewayLogRow, LlmLogRow } from '../../sandbox/traffic/log-row.ts';
import { START_MS } from './pipeline.ts';
import { dimensions } from './rows.ts';

/** The LLM log row of one request, sound unless changed: 100 prompt and 20 completion tokens. */
export function makeLlmRow(changes: Partial<LlmLogRow> = {}): LlmLogRow {
  const eventMs = changes.eventMs ?? START_MS + 60_000;
  return {
    itemId: 'a',
    correlationId: 'request-1',
    eventMs,
    ingestedMs: eventMs + 180_000,
    ingestedTicks: 0,
    sequenceNumber: 0,
    deploymentName: 'gpt-4o-global',
    modelName: 'gpt-4o-2024-11-20',
    isStream: false,
    promptTokens: 100,
    completionTokens: 20,
    totalTokens: 120,
    ...changes,
  };
}

/** The gateway log row of the same request, with our trace. */
export function makeGatewayRow(changes: Partial<GatewayLogRow> = {}): GatewayLogRow {
  const eventMs = changes.eventMs ?? START_MS + 60_000;
  return {
    correlationId: 'request-1',
    eventMs,
    ingestedMs: eventMs + 240_000,
    ingestedTicks: 0,
    responseCode: 200,
    subscriptionId: 'sub-1',
    productId: 'llm',
    traceRecords: [{ source: 'tallystick', message: 'caller', metadata: dimensions() }],
    ...changes,
  };
}
