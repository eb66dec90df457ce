import { findPrice } from './lookup.ts';
import type { PriceBook } from './price-book.ts';
import { DEPLOYMENT_TYPES, type PriceKind } from './rows.ts';

const DAY_MS = 86_400_000;

/**
 * The day of the lists that the book's prices were read from: at least half of those in force were listed on it or since, so
 * that one new price does not make an old book young. Null: no price names its list's day.
 */
export function bookAsOf(book: PriceBook, at: Date): string | null {
  const days: string[] = [];
  for (const timeline of book.timelines.values()) {
    const row = timeline.findLast(({ startMs }) => startMs <= at.getTime())?.row;
    if (row !== undefined && row.listedAt !== '') days.push(row.listedAt);
  }
  days.sort();
  return days[Math.floor((days.length - 1) / 2)] ?? null;
}

/** Usage as a quote prices it. */
interface PricedUsage {
  model: string;
  deployment: string | null;
  deploymentType: string | null;
  region: string | null;
  tokenType: PriceKind;
}

/** The oldest day of the lists that the prices of this usage were read from; null: none names one. */
export function pricesAsOf(book: PriceBook, usage: readonly PricedUsage[], at: Date): string | null {
  const days = usage.flatMap(({ model, deployment, deploymentType, region, tokenType }) => {
    const said = DEPLOYMENT_TYPES.find((type) => type === deploymentType);
    const query = {
      model,
      at,
      ...(deployment === null ? {} : { deployment }),
      ...(said === undefined ? {} : { deploymentType: said }),
      ...(region === null ? {} : { region }),
    };
    const found = findPrice(book, query, tokenType);
    return found.found && found.row.listedAt !== '' ? [found.row.listedAt] : [];
  });
  return days.sort()[0] ?? null;
}

/** How many days ago a day (`2026-01-31`) began. */
export function daysSince(day: string, now: Date): number {
  return Math.max(0, Math.floor((now.getTime() - Date.parse(day)) / DAY_MS));
}
