import { USAGE_EVENT_SOURCE, USAGE_EVENT_TYPE } from '../../src/openmeter/port.ts';
import type { ClaimedEvent } from '../../src/usage/events/usage-events.ts';

/**
 * Whether the stored bytes of an event say what the event's row says: id, subject, time, dimensions and counts. They
 * were written together and never change; where they differ, one of them was damaged, and neither may be sent.
 */
export function isIntact(event: ClaimedEvent): boolean {
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(event.body) as Record<string, unknown>;
  } catch {
    return false;
  }
  const data = body?.data as Record<string, unknown> | null | undefined;
  if (typeof data !== 'object' || data === null) return false;
  return (
    body.id === event.usageEventId &&
    body.source === USAGE_EVENT_SOURCE &&
    body.type === USAGE_EVENT_TYPE &&
    body.subject === event.subject &&
    Date.parse(String(body.time)) === event.eventTime.getTime() &&
    data.model === event.model &&
    data.feature === event.feature &&
    data.deployment === event.deployment &&
    data.prompt_tokens === String(event.promptTokenCount) &&
    data.cached_prompt_tokens === String(event.cachedPromptTokenCount) &&
    data.completion_tokens === String(event.completionTokenCount) &&
    data.reasoning_tokens === String(event.reasoningTokenCount) &&
    data.total_tokens === String(event.totalTokenCount) &&
    data.requests === String(event.requestCount)
  );
}
