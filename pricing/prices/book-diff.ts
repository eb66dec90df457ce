import { divideHalfUp, formatDecimal } from '../money.ts';
import type { PriceBook, PriceEntry } from './price-book.ts';
import { type PriceRow, picoPerUnitOf, timelineKeyOf } from './rows.ts';

/** One price that differs between two states; null where there is none. */
export interface PriceDifference {
  model: string;
  deploymentType: PriceRow['deploymentType'];
  region: string;
  tokenType: PriceRow['tokenType'];
  before: PriceRow | null;
  after: PriceRow | null;
  /** Of the price before, to two decimals; null when there is no price on one of the sides. */
  changePercent: string | null;
}

/** A version of the book, looked at as a whole or as of an instant of use. */
export interface PriceState {
  book: PriceBook;
  /** Left out: every row, whenever it holds. */
  at?: Date;
}

/**
 * What differs between two states. When both have an instant, the prices in force then are compared, key by key; else
 * all rows, each with the one of the same key and effectiveFrom.
 */
export function diffPrices(from: PriceState, to: PriceState): PriceDifference[] {
  const isDated = from.at !== undefined && to.at !== undefined;
  const before = isDated ? rowsInForce(from) : rowsByInstant(from);
  const after = isDated ? rowsInForce(to) : rowsByInstant(to);
  const keys = [...new Set([...before.keys(), ...after.keys()])].sort();
  return keys.flatMap((key) => {
    const left = before.get(key) ?? null;
    const right = after.get(key) ?? null;
    const either = left ?? right;
    if (either === null || (left !== null && right !== null && isSamePrice(left, right))) return [];
    const { model, deploymentType, region, tokenType } = either;
    const changePercent = changeOf(left, right);
    return [{ model, deploymentType, region, tokenType, before: left, after: right, changePercent }];
  });
}

function rowsInForce({ book, at }: PriceState): Map<string, PriceRow> {
  const atMs = at?.getTime() ?? Number.POSITIVE_INFINITY;
  const inForce = ({ startMs }: PriceEntry) => startMs <= atMs;
  const rows = new Map<string, PriceRow>();
  for (const [key, timeline] of book.timelines) {
    const entry = timeline.findLast(inForce);
    if (entry !== undefined && entry.picoPerUnit !== null) rows.set(key, entry.row);
  }
  return rows;
}

function rowsByInstant({ book }: PriceState): Map<string, PriceRow> {
  return new Map(book.data.prices.map((row) => [`${timelineKeyOf(row)} ${row.effectiveFrom ?? ''}`, row]));
}

/** Where a price was read and what was noted does not make it another price. */
function isSamePrice(left: PriceRow, right: PriceRow): boolean {
  return picoPerUnitOf(left) === picoPerUnitOf(right) && left.currency === right.currency;
}

function changeOf(before: PriceRow | null, after: PriceRow | null): string | null {
  const was = before === null ? null : picoPerUnitOf(before);
  const becomes = after === null ? null : picoPerUnitOf(after);
  if (was === null || becomes === null) return null;
  return formatDecimal(divideHalfUp((becomes - was) * 10_000n, was), 2, 2);
}
