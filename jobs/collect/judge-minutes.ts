import {
  FIGURE_BY_KIND,
  judgeMinute,
  type MinuteFigures,
  type MinuteVerdict,
  needsSent,
  sumMinute,
  sumSent,
} from '../../pricing/usage/minutes.ts';
import { countedKey } from '../../pricing/usage/names.ts';
import type { CountingRule } from '../../pricing/usage/providers.ts';
import { type UsageKey, usageKeyText } from '../../pricing/usage/shape.ts';
import { floorToMinute } from '../../src/platform/clock.ts';
import { readHeldItems } from '../../src/usage/collection/held-items.ts';
import { keyOfItem, type SourceItem } from '../../src/usage/collection/source-items.ts';
import {
  type EventMinute,
  readMinuteSums,
  type SentFigures,
  sumSpellings,
} from '../../src/usage/events/minute-sums.ts';
import type { JobDependencies } from '../dependencies.ts';

export interface JudgedMinutes {
  /** What becomes usage: of the candidates, and of what waited for them. */
  free: SourceItem[];
  /** Of the candidates, those that wait: as they come to wait, with reason and detail. */
  held: Map<SourceItem, SourceItem>;
  /** What waited before and still does, with them. */
  stillHeld: SourceItem[];
}

interface Minute extends EventMinute {
  candidates: SourceItem[];
  /** What waits of it in the ledger and is not among the candidates. */
  waiting: SourceItem[];
  rule: CountingRule;
}

/**
 * Judges sound items by their minutes: each with what waits there, and where they do not agree by themselves with what is
 * usage already. A minute and key is free or held whole. The items are left as they are; what is held is a copy.
 * `accepted`: a person said of these that their minutes are to be taken as they were told.
 */
export async function judgeMinutes(
  { database, settings }: Pick<JobDependencies, 'database' | 'settings'>,
  candidates: readonly SourceItem[],
  accepted: ReadonlySet<SourceItem> = new Set(),
): Promise<JudgedMinutes> {
  const minutes = groupByMinute(candidates, (model) => settings.providers.ruleOf(model));
  const waiting = await readHeldItems(database, [...minutes.values()]);
  const toldAgain = new Set(waiting.length === 0 ? [] : candidates.map(keyOfItem));
  for (const item of waiting) {
    if (toldAgain.has(keyOfItem(item))) continue;
    const minute = minutes.get(minuteKey(item) ?? '');
    minute?.waiting.push(withRule(item, minute.rule));
  }
  const sums = new Map([...minutes].map(([key, minute]) => [key, sumOf(minute)] as const));
  const doubtful = [...minutes].filter(([key, { rule }]) => {
    const sum = sums.get(key);
    return sum !== undefined && needsSent(sum, rule);
  });
  const sent = await readMinuteSums(database, doubtful);
  const judged: JudgedMinutes = { free: [], held: new Map(), stillHeld: [] };
  for (const [key, minute] of minutes) {
    const { verdict, countedAs } = judgeSpellings(minute, sent.get(key) ?? [], {
      candidates: sums.get(key) ?? sumOf(minute),
      isAccepted: isAccepted(minute, accepted),
    });
    if (verdict.kind === 'free') {
      const free = [...minute.candidates, ...minute.waiting];
      if (countedAs !== null) for (const item of free) item.countedAs = countedAs;
      judged.free.push(...free);
    } else {
      for (const item of minute.candidates) judged.held.set(item, hold(item, verdict));
      judged.stillHeld.push(...minute.waiting.map((item) => hold(item, verdict)));
    }
  }
  return judged;
}

/** Of what waits, a person may have said so before the candidates came. */
function isAccepted({ candidates, waiting }: Minute, accepted: ReadonlySet<SourceItem>): boolean {
  if (waiting.some((item) => item.isAccepted === true)) return true;
  return accepted.size > 0 && candidates.some((item) => accepted.has(item));
}

/**
 * The verdict on all that is usage of the minute, and the spelling that its events are counted under (null: the key itself).
 * Hours add up what has one spelling: what agrees only together with what was counted under one joins it there.
 */
function judgeSpellings(
  { key, rule }: Minute,
  sent: readonly SentFigures[],
  told: { candidates: MinuteFigures; isAccepted: boolean },
): { verdict: MinuteVerdict; countedAs: UsageKey | null } {
  const judge = (figures: SentFigures['figures'] | null) =>
    judgeMinute({ ...told, sent: figures === null ? null : sumSent(figures, rule) }, rule);
  const verdict = judge(sumSpellings(sent));
  const text = (one: UsageKey) => usageKeyText(new Date(0), one);
  const formerly = sent.filter((one) => text(one.key) !== text(key));
  if (verdict.kind === 'held' || formerly.length === 0) return { verdict, countedAs: null };
  const alone = judge(sumSpellings(sent.filter((one) => !formerly.includes(one))));
  if (alone.kind === 'free') return { verdict, countedAs: null };
  const joined = formerly.find(({ figures }) => judge(figures).kind === 'free');
  return joined === undefined ? { verdict: alone, countedAs: null } : { verdict, countedAs: joined.key };
}

function groupByMinute(
  candidates: readonly SourceItem[],
  ruleOf: (model: string) => CountingRule | null,
): Map<string, Minute> {
  const minutes = new Map<string, Minute>();
  for (const item of candidates) {
    const key = minuteKey(item);
    const { row } = item;
    const rule = ruleOf(row.model);
    if (key === null || row.eventTime === null || rule === null) {
      throw new RangeError('only a sound item is judged by its minute');
    }
    const minute = minutes.get(key);
    if (minute !== undefined) minute.candidates.push(item);
    else {
      const eventTime = floorToMinute(row.eventTime);
      minutes.set(key, {
        eventDay: item.eventDay,
        eventTime,
        key: countedKey(row),
        candidates: [item],
        waiting: [],
        rule,
      });
    }
  }
  return minutes;
}

function minuteKey({ row }: SourceItem): string | null {
  return row.eventTime === null ? null : usageKeyText(floorToMinute(row.eventTime), countedKey(row));
}

/** What waits was told under the rule of its day, and becomes usage under that of today. */
function withRule(item: SourceItem, rule: CountingRule): SourceItem {
  const figure = FIGURE_BY_KIND.get(item.tokenKind);
  return { ...item, countsApart: figure !== undefined && rule.apart.includes(figure) };
}

function sumOf({ candidates, waiting }: Minute): MinuteFigures {
  return sumMinute(
    [...candidates, ...waiting].flatMap(({ tokenKind, tokenCount, countsApart }) => {
      const figure = FIGURE_BY_KIND.get(tokenKind);
      return figure === undefined ? [] : [{ figure, tokenCount, countsApart }];
    }),
  );
}

function hold(item: SourceItem, { reason, detail }: Extract<MinuteVerdict, { kind: 'held' }>): SourceItem {
  return {
    ...item,
    usageEventId: null,
    quarantineReason: reason,
    quarantineDetail: detail,
    original: item.original ?? item.row,
  };
}
