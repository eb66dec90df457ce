import { speakProduct } from '../usage/words.ts';

/** How a customer reads usage on an invoice. */

/** 12345678 is `12,345,678`. */
export function groupTokens(tokenCount: bigint): string {
  return tokenCount.toString().replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

export interface SpokenLine {
  productName: string;
  /** Null: a flat amount. */
  quantity: bigint | null;
  /** Which part of a tiered price, from 1; null: the only one. */
  tierNumber: number | null;
}

/** `GPT-4o input tokens, 12,345,678 tokens`. */
export function speakLine({ productName, quantity, tierNumber }: SpokenLine): string {
  const name = speakProduct(productName);
  const tier = tierNumber === null ? '' : ` (tier ${tierNumber})`;
  if (quantity === null) return `${name}, base fee${tier}`;
  return `${name}, ${groupTokens(quantity)} token${quantity === 1n ? '' : 's'}${tier}`;
}

const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);

/** A half-open UTC period of ISO instants as people say it: `1 to 31 October 2026`. */
export function speakPeriod(start: string, end: string): string {
  const isWholeDays = /T00:00:00(\.000)?Z$/.test(start) && /T00:00:00(\.000)?Z$/.test(end);
  if (!isWholeDays) return `${speakInstant(start)} to ${speakInstant(end)} UTC`;
  const last = lastDayBefore(readDay(end));
  const first = readDay(start);
  if (first.year === last.year && first.month === last.month) {
    const days = first.day === last.day ? `${first.day}` : `${first.day} to ${last.day}`;
    return `${days} ${MONTHS[first.month - 1]} ${first.year}`;
  }
  return `${speakDay(first)} to ${speakDay(last)}`;
}

interface Day {
  year: number;
  month: number;
  day: number;
}

const INSTANT = /\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z/g;

/** A sentence that was kept, with its ISO instants as people say them: `27 October 2026, 00:00 UTC`. */
export function speakInstants(sentence: string): string {
  return sentence.replaceAll(
    INSTANT,
    (instant) => `${speakDay(readDay(instant))}, ${instant.slice(11, 16)} UTC`,
  );
}

/** Why an invoice waited, by what the ledger keeps of it: what it means, and when it goes on. */
const WAITS: Readonly<Record<string, SpokenNote>> = {
  'hours of the period are not settled': {
    because: 'the sums of some of its hours were not confirmed by OpenMeter yet, so usage could be missing',
    next: 'it goes on by itself once all of them are',
  },
  'usage of the period is not pushed': {
    because: 'some of its usage had not reached Stripe yet',
    next: 'it goes on by itself once all of it has',
  },
};

export interface SpokenNote {
  because: string;
  /** Null: nothing that the note would tell. */
  next: string | null;
}

/** What was noted at a step of a close, as people say it. */
export function speakNote(note: string): SpokenNote {
  return WAITS[note] ?? { because: speakInstants(note), next: null };
}

function readDay(instant: string): Day {
  const [year = 0, month = 1, day = 1] = instant.slice(0, 10).split('-').map(Number);
  return { year, month, day };
}

function lastDayBefore({ year, month, day }: Day): Day {
  if (day > 1) return { year, month, day: day - 1 };
  if (month === 1) return { year: year - 1, month: 12, day: 31 };
  return { year, month: month - 1, day: daysIn(year, month - 1) };
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function speakDay({ year, month, day }: Day): string {
  return `${day} ${MONTHS[month - 1]} ${year}`;
}

function speakInstant(instant: string): string {
  return `${speakDay(readDay(instant))} ${instant.slice(11, 16)}`;
}

/** The memo above the lines. */
export function speakMemo(memo: {
  start: string;
  end: string;
  statementUrl: string | null;
  lateTokens: bigint;
}): string {
  const late =
    memo.lateTokens > 0n
      ? ` It includes ${groupTokens(memo.lateTokens)} tokens of earlier periods that were reported too late for their own invoice.`
      : '';
  const link = memo.statementUrl === null ? '' : ` By day, model, feature and user: ${memo.statementUrl}`;
  return `Token usage of ${speakPeriod(memo.start, memo.end)}.${late}${link}`;
}

/** The label of an item for usage that missed its own invoice. */
export function speakLateItem(item: {
  productName: string;
  tokenCount: bigint;
  start: string;
  end: string;
}): string {
  return `${speakLine({ productName: item.productName, quantity: item.tokenCount, tierNumber: null })}, used ${speakPeriod(item.start, item.end)}, reported late`;
}

/** The label of an item that brings a period up to its plan's minimum; below zero: that takes some of it back. */
export function speakMinimum(minimum: {
  planName: string;
  /** With its currency: `500.00 USD`. */
  amount: string;
}): string {
  return `${minimum.planName}, top-up to the minimum of ${minimum.amount}`;
}
