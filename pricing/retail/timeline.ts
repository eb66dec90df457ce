import type { PriceKind } from '../prices/rows.ts';
import type { RetailItem } from './item.ts';
import { fitsKind, parseRetailUnit, picoPerOne } from './unit.ts';

/** Why a listed price cannot be taken as it is. None of them is guessed away. */
export type UnusableReason =
  | 'prices_disagree'
  | 'unknown_unit'
  | 'unit_does_not_fit'
  | 'not_positive'
  | 'not_exact'
  | 'tiered'
  | 'other_currency'
  | 'unknown_model';

/** What the list says of one price from an instant on. */
export type ListedPrice = { from: Date; items: RetailItem[] } & (
  | { picoPerUnit: bigint; reason: null }
  | { picoPerUnit: null; reason: UnusableReason }
);

const HOUR_MS = 3_600_000;

/**
 * From when on the book may take a listed price: from the list's own instant, but never before the present. The
 * present is the next whole hour, because usage is kept by the hour.
 */
export function effectiveInstant(listedFrom: Date, now: Date): Date {
  const nextHourMs = Math.ceil(now.getTime() / HOUR_MS) * HOUR_MS;
  return listedFrom.getTime() > nextHourMs ? listedFrom : new Date(nextHourMs);
}

/**
 * The price that holds now, if one does, and those announced, in order of time. Rows of several regions or meters
 * that are one price must say the same.
 */
export function listedPrices(
  items: readonly RetailItem[],
  kind: PriceKind,
  currency: string,
  now: Date,
): ListedPrice[] {
  const inForce = latestOfEach(items.filter((item) => item.effectiveStartDate <= now));
  const announced = Map.groupBy(
    items.filter((item) => item.effectiveStartDate > now),
    (item) => item.effectiveStartDate.getTime(),
  );
  const groups = [
    ...(inForce.length === 0 ? [] : [inForce]),
    ...[...announced].sort(([left], [right]) => left - right).map(([, group]) => group),
  ];
  return groups.map((group) => readPrice(group, kind, currency));
}

/** Of the rows of one meter, region and tier the last to have begun. */
function latestOfEach(items: readonly RetailItem[]): RetailItem[] {
  const byPlace = Map.groupBy(items, (item) =>
    [item.meterId.toLowerCase(), item.armRegionName, item.tierMinimumUnits].join(' '),
  );
  return [...byPlace.values()].flatMap((rows) => {
    const lastMs = Math.max(...rows.map((row) => row.effectiveStartDate.getTime()));
    return rows.filter((row) => row.effectiveStartDate.getTime() === lastMs);
  });
}

function readPrice(items: RetailItem[], kind: PriceKind, currency: string): ListedPrice {
  const from = new Date(Math.max(...items.map((item) => item.effectiveStartDate.getTime())));
  const prices = items.map((item) => readItem(item, kind, currency));
  const reason = prices.find((price) => typeof price === 'string');
  if (reason !== undefined) return { from, items, picoPerUnit: null, reason };
  const [first, ...others] = new Set(prices as bigint[]);
  if (first === undefined || others.length > 0) {
    return { from, items, picoPerUnit: null, reason: 'prices_disagree' };
  }
  return { from, items, picoPerUnit: first, reason: null };
}

function readItem(item: RetailItem, kind: PriceKind, currency: string): bigint | UnusableReason {
  if (item.currency !== currency) return 'other_currency';
  if (item.tierMinimumUnits !== '0') return 'tiered';
  const unit = parseRetailUnit(item.unitOfMeasure);
  if (unit === null) return 'unknown_unit';
  if (!fitsKind(unit, kind)) return 'unit_does_not_fit';
  // A list price of nothing may mean free or unset; a cost of nothing must be a person's word.
  if (item.retailPrice.startsWith('-') || item.retailPrice === '0') return 'not_positive';
  try {
    return picoPerOne(item.retailPrice, unit) ?? 'not_exact';
  } catch {
    return 'not_exact';
  }
}
