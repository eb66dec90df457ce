import type { PriceBook } from '../prices/price-book.ts';
import { timelineKeyOf } from '../prices/rows.ts';
import type { RetailItem } from './item.ts';
import type { RetailMeterMap, RetailTarget } from './meter-map.ts';
import { effectiveInstant, type ListedPrice, listedPrices, type UnusableReason } from './timeline.ts';

type RetailVerdict =
  | 'unchanged'
  | 'small_change'
  | 'large_change'
  /** Mapped, but the book has no price to hold it against. */
  | 'new_price'
  | 'unmapped'
  | 'unusable'
  /** Was listed at the last synchronization and is no more. */
  | 'disappeared';

/** What one meter of the list says, held against the price book. */
export interface RetailFinding {
  verdict: RetailVerdict;
  reason: UnusableReason | null;
  /** The same from run to run: the price that it is about, or the meter that has no meaning. */
  subject: string;
  /** Alike as long as the list says the same about it. */
  fingerprint: string;
  meterId: string;
  /** The list's own words, for the person who looks. */
  meterName: string;
  productName: string;
  unitOfMeasure: string;
  retailPrice: string;
  currency: string;
  regions: string[];
  target: RetailTarget | null;
  /** Of one token, image, second or hour, in pico units; null: none, or not known. */
  oldPicoPerUnit: bigint | null;
  newPicoPerUnit: bigint | null;
  /** From when on the list has it. */
  listedFrom: Date | null;
  /** From when on the book would have it: never before the present. */
  effectiveFrom: Date | null;
  /** The list has had it before the book can: the time between stays at the old price. */
  isRetroactive: boolean;
}

export interface RetailDiff {
  findings: RetailFinding[];
  itemCount: number;
  /** Reservations, developer offers, and what ended: no pay-as-you-go prices. */
  ignoredCount: number;
}

export interface RetailDiffOptions {
  now: Date;
  /** A change of at most so many percent, either way, needs nobody. */
  smallChangePercent: number;
  /** Meters of the last synchronization: what is missing now has disappeared. */
  knownMeters: readonly { meterId: string; meterName: string }[];
}

/**
 * Holds the list against the book. Pure: the same list, map, book and instant give the same findings, in the order of
 * their subjects.
 */
export function diffRetailPrices(
  items: readonly RetailItem[],
  map: RetailMeterMap,
  book: PriceBook,
  options: RetailDiffOptions,
): RetailDiff {
  const usable = items.filter((item) => isPayAsYouGo(item, options.now));
  const findings: RetailFinding[] = [];
  for (const group of groupBySubject(usable, map)) {
    if (group.target === null) findings.push(describe(group, { verdict: 'unmapped' }));
    else findings.push(...judge({ ...group, target: group.target }, book, options));
  }
  const listed = new Set(usable.map((item) => item.meterId.toLowerCase()));
  for (const { meterId, meterName } of options.knownMeters) {
    const target = map.get(meterId) ?? null;
    if (listed.has(meterId) || target === null) continue;
    findings.push(disappeared(meterId, meterName, target));
  }
  return { findings, itemCount: items.length, ignoredCount: items.length - usable.length };
}

function isPayAsYouGo(item: RetailItem, now: Date): boolean {
  return item.type === 'Consumption' && (item.effectiveEndDate === null || item.effectiveEndDate > now);
}

interface Group {
  subject: string;
  target: RetailTarget | null;
  items: RetailItem[];
}

/** Several meters may be one price (a meter for each region), and one meter many rows. */
function groupBySubject(items: readonly RetailItem[], map: RetailMeterMap): Group[] {
  const groups = new Map<string, Group>();
  for (const item of items) {
    const meterId = item.meterId.toLowerCase();
    const target = map.get(meterId) ?? null;
    const subject = target === null ? `meter ${meterId}` : timelineKeyOf(target);
    const group = groups.get(subject) ?? { subject, target, items: [] };
    group.items.push(item);
    groups.set(subject, group);
  }
  return [...groups.values()].sort((left, right) => (left.subject < right.subject ? -1 : 1));
}

/** Judges what holds now, and each change the list announces. */
function judge(
  group: Group & { target: RetailTarget },
  book: PriceBook,
  options: RetailDiffOptions,
): RetailFinding[] {
  const { target } = group;
  if (book.canonicalByName.get(target.model) !== target.model) {
    return [describe(group, { verdict: 'unusable', reason: 'unknown_model' })];
  }
  const findings: RetailFinding[] = [];
  let previous: RetailFinding | null = null;
  for (const listed of listedPrices(group.items, target.tokenType, book.currency, options.now)) {
    const finding = judgeOne(group, listed, book, previous, options);
    findings.push(finding);
    previous = finding;
  }
  return findings;
}

function judgeOne(
  group: Group & { target: RetailTarget },
  listed: ListedPrice,
  book: PriceBook,
  previous: RetailFinding | null,
  { now, smallChangePercent }: RetailDiffOptions,
): RetailFinding {
  const about = { ...group, items: listed.items, subject: subjectAt(group.subject, listed, now) };
  if (listed.picoPerUnit === null) {
    return describe(about, { verdict: 'unusable', reason: listed.reason, listedFrom: listed.from });
  }
  const effectiveFrom = effectiveInstant(listed.from, now);
  const old = previous?.verdict === 'small_change' ? previous.newPicoPerUnit : null;
  const oldPicoPerUnit = old ?? bookPriceAt(book, group.target, effectiveFrom);
  const newPicoPerUnit = listed.picoPerUnit;
  return describe(about, {
    verdict: compare(oldPicoPerUnit, newPicoPerUnit, smallChangePercent),
    oldPicoPerUnit,
    newPicoPerUnit,
    listedFrom: listed.from,
    effectiveFrom,
    isRetroactive: listed.from < effectiveFrom,
  });
}

/** An announced change is a matter of its own beside the price that holds. */
function subjectAt(subject: string, listed: ListedPrice, now: Date): string {
  return listed.from > now ? `${subject} from ${listed.from.toISOString()}` : subject;
}

/** The book's own row, without the fallbacks that a cost may take; null: there is none, or it is retired. */
function bookPriceAt(book: PriceBook, target: RetailTarget, at: Date): bigint | null {
  const timeline = book.timelines.get(timelineKeyOf(target)) ?? [];
  return timeline.findLast(({ startMs }) => startMs <= at.getTime())?.picoPerUnit ?? null;
}

function compare(old: bigint | null, fresh: bigint, smallChangePercent: number): RetailVerdict {
  if (old === null || old <= 0n) return 'new_price';
  if (old === fresh) return 'unchanged';
  const difference = fresh > old ? fresh - old : old - fresh;
  return difference * 100n <= old * BigInt(smallChangePercent) ? 'small_change' : 'large_change';
}

type Facts = Pick<RetailFinding, 'verdict'> &
  Partial<
    Pick<
      RetailFinding,
      'reason' | 'oldPicoPerUnit' | 'newPicoPerUnit' | 'listedFrom' | 'effectiveFrom' | 'isRetroactive'
    >
  >;

function describe(group: Group, facts: Facts): RetailFinding {
  const [first] = group.items;
  const prices = [...new Set(group.items.map((item) => item.retailPrice))].sort();
  const finding = {
    reason: null,
    oldPicoPerUnit: null,
    newPicoPerUnit: null,
    listedFrom: null,
    effectiveFrom: null,
    isRetroactive: false,
    ...facts,
    subject: group.subject,
    meterId: first?.meterId.toLowerCase() ?? '',
    meterName: first?.meterName ?? '',
    productName: first?.productName ?? '',
    unitOfMeasure: first?.unitOfMeasure ?? '',
    retailPrice: prices.join(' | '),
    currency: first?.currency ?? '',
    regions: [...new Set(group.items.map((item) => item.armRegionName))].sort(),
    target: group.target,
  };
  return { ...finding, fingerprint: fingerprintOf(finding) };
}

/** What a meter without meaning costs does not matter to the question what it is. */
function fingerprintOf(finding: Omit<RetailFinding, 'fingerprint'>): string {
  if (finding.verdict === 'unmapped' || finding.verdict === 'disappeared') return finding.verdict;
  return [
    finding.verdict,
    finding.reason ?? '',
    finding.retailPrice,
    finding.unitOfMeasure,
    finding.listedFrom?.toISOString() ?? '',
  ].join(' ');
}

function disappeared(meterId: string, meterName: string, target: RetailTarget): RetailFinding {
  const group = { subject: `meter ${meterId}`, target, items: [] };
  return { ...describe(group, { verdict: 'disappeared' }), meterId, meterName };
}
