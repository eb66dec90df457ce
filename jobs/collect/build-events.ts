import { createHash } from 'node:crypto';
import { USAGE_EVENT_SOURCE, USAGE_EVENT_TYPE, type UsageEventData } from '../../src/openmeter/port.ts';
import { floorToHour, floorToMinute } from '../../src/platform/clock.ts';
import { itemKey, type SourceItem } from '../../src/usage/collection/source-items.ts';
import type { UsageEvent } from '../../src/usage/events/usage-events.ts';

type Draft = Omit<UsageEvent, 'usageEventId' | 'body'> & { items: SourceItem[] };

/** What an event's id is made from: text that tells these items from any other. */
export type FactText = (items: readonly SourceItem[]) => string;

/**
 * An item is a fact by its day, its id and its metric, as in the ledger's key: one id on two days is two facts. None of
 * the three holds a NUL, so that no two lists of items give one text.
 */
const describeFacts: FactText = (items) =>
  items
    .map(({ eventDay, row }) => itemKey(eventDay, row.sourceItemId, row.metricName))
    .sort()
    .join('\u0000');

/** As before ids told the day. Events that were made then keep their ids, and are known by them. */
export const describeFactsWithoutDay: FactText = (items) =>
  items
    .map(({ row }) => `${row.sourceItemId} ${row.metricName}`)
    .sort()
    .join('\n');

/**
 * Groups healthy items of one minute and one set of dimensions into a usage event each, and notes the
 * event's id on its items. The id is a hash of the items' own keys: the same facts always give the same
 * event, and since an item enters the ledger once, no two events share a fact.
 */
export function buildUsageEvents(
  items: readonly SourceItem[],
  factText: FactText = describeFacts,
): UsageEvent[] {
  const drafts = new Map<string, Draft>();
  for (const item of items) {
    const { row } = item;
    if (item.quarantineReason !== null || row.eventTime === null) continue;
    const minute = floorToMinute(row.eventTime);
    const key = JSON.stringify([minute.getTime(), row.subject, row.feature, row.model, row.deployment]);
    let draft = drafts.get(key);
    if (draft === undefined) {
      draft = {
        windowStart: floorToHour(minute),
        eventTime: minute,
        subject: row.subject,
        feature: row.feature,
        model: row.model,
        deployment: row.deployment,
        promptTokenCount: 0n,
        cachedPromptTokenCount: 0n,
        completionTokenCount: 0n,
        reasoningTokenCount: 0n,
        totalTokenCount: 0n,
        requestCount: 0n,
        items: [],
      };
      drafts.set(key, draft);
    }
    addItem(draft, item);
  }
  return [...drafts.values()].map((draft) => finish(draft, factText));
}

function addItem(draft: Draft, item: SourceItem): void {
  if (item.tokenKind === 'prompt') draft.promptTokenCount += item.tokenCount;
  else if (item.tokenKind === 'cached_prompt') draft.cachedPromptTokenCount += item.tokenCount;
  else if (item.tokenKind === 'completion') draft.completionTokenCount += item.tokenCount;
  else if (item.tokenKind === 'reasoning') draft.reasoningTokenCount += item.tokenCount;
  else if (item.tokenKind === 'total') {
    draft.totalTokenCount += item.tokenCount;
    // Every request emits one Total measurement; the other metrics would count it again.
    draft.requestCount += item.requestCount;
  }
  draft.items.push(item);
}

function finish({ items, ...event }: Draft, factText: FactText): UsageEvent {
  const digest = createHash('sha256').update(factText(items)).digest('hex').slice(0, 40);
  const usageEventId = `ue_${digest}`;
  for (const item of items) item.usageEventId = usageEventId;
  return { ...event, usageEventId, body: renderUsageEvent({ ...event, usageEventId }) };
}

/** The final JSON text of the CloudEvent: counts as text, negative ones for corrections. */
export function renderUsageEvent(event: Omit<UsageEvent, 'body' | 'windowStart'>): string {
  const data: UsageEventData = {
    model: event.model,
    feature: event.feature,
    deployment: event.deployment,
    prompt_tokens: String(event.promptTokenCount),
    cached_prompt_tokens: String(event.cachedPromptTokenCount),
    completion_tokens: String(event.completionTokenCount),
    reasoning_tokens: String(event.reasoningTokenCount),
    total_tokens: String(event.totalTokenCount),
    requests: String(event.requestCount),
  };
  return JSON.stringify({
    specversion: '1.0',
    id: event.usageEventId,
    source: USAGE_EVENT_SOURCE,
    type: USAGE_EVENT_TYPE,
    subject: event.subject,
    time: event.eventTime.toISOString().replace('.000Z', 'Z'),
    data,
  });
}
