import { createHash } from 'node:crypto';
import { countedKey } from '../../pricing/usage/names.ts';
import {
  byProperty,
  DATA_DIMENSIONS,
  FIGURE_NAMES,
  FIGURES,
  type UsageFigures,
  usageKeyText,
} from '../../pricing/usage/shape.ts';
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
 * Groups healthy items of one minute and one key into a usage event each, and notes the event's id on its items.
 * Names are told in many spellings and counted by their keys: here a model becomes one (but for what completes usage that was
 * counted under a spelling before there were keys, and is counted with it). Here, too, the rule of its maker is
 * applied: a part that was told beside its whole is added to it, so that everything below reads one rule. A minute whose total
 * is missing counts no request; it does once that comes. The id is a hash of the items' own keys: the same facts always give the same
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
    const counted = item.countedAs ?? countedKey(row);
    const key = usageKeyText(minute, counted);
    let draft = drafts.get(key);
    if (draft === undefined) {
      draft = {
        windowStart: floorToHour(minute),
        eventTime: minute,
        ...counted,
        ...byProperty(() => 0n),
        items: [],
      };
      drafts.set(key, draft);
    }
    addItem(draft, item);
  }
  return [...drafts.values()].map((draft) => finish(draft, factText));
}

/** Where an item's tokens are added, and where its measurements are; made once, since every item asks. */
interface Addends {
  tokens: keyof UsageFigures;
  /** What counts its tokens, too, unless they were told beside it. */
  wholes: (keyof UsageFigures)[];
  /** Every request emits one Total measurement; the other metrics would count it again. */
  requests: (keyof UsageFigures)[];
}
const ADDENDS = new Map<string, Addends>(
  FIGURE_NAMES.flatMap((name) => {
    const { tokenKind, property } = FIGURES[name];
    if (tokenKind === null) return [];
    const counting = FIGURE_NAMES.map((other) => FIGURES[other]).filter(
      (other) => 'measurementsOf' in other && other.measurementsOf === name,
    );
    const wholes = FIGURES[name].partOf.map((whole) => FIGURES[whole].property);
    return [[tokenKind, { tokens: property, wholes, requests: counting.map((other) => other.property) }]];
  }),
);

function addItem(draft: Draft, item: SourceItem): void {
  const addends = ADDENDS.get(item.tokenKind);
  if (addends !== undefined) {
    draft[addends.tokens] += item.tokenCount;
    if (item.countsApart) for (const whole of addends.wholes) draft[whole] += item.tokenCount;
    for (const property of addends.requests) draft[property] += item.requestCount;
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
  const data = {} as UsageEventData;
  for (const name of DATA_DIMENSIONS) data[name] = event[name];
  for (const name of FIGURE_NAMES) data[FIGURES[name].eventField] = String(event[FIGURES[name].property]);
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
