import { sql } from 'kysely';
import { addMs, type TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { readConversions } from '../exchange/rates.ts';
import type { RollupFilter, RollupScope } from './query.ts';

/** A window and a filter with the exchange rates of everything that is billed in another currency. */
export async function readRollupScope(
  database: LedgerDatabase,
  { window, filter, now }: { window: TimeWindow; filter: RollupFilter; now: Date },
): Promise<RollupScope> {
  const billed = await sql<{ currency: string }>`
    select currency from subscription_items where active union select currency from customers where currency is not null`.execute(
    database,
  );
  const currencies = billed.rows.map(({ currency }) => currency);
  return { window, filter, conversions: await readConversions(database, { window, currencies, now }) };
}

/** The window to compare with: as many whole months before whole months, and else as many days. */
export function windowBefore({ start, end }: TimeWindow): TimeWindow {
  const isMonthStart = (at: Date) => at.getUTCDate() === 1;
  if (!isMonthStart(start) || !isMonthStart(end)) {
    return { start: addMs(start, start.getTime() - end.getTime()), end: start };
  }
  const monthOf = (at: Date) => at.getUTCFullYear() * 12 + at.getUTCMonth();
  const first = monthOf(start) - (monthOf(end) - monthOf(start));
  return { start: new Date(Date.UTC(Math.floor(first / 12), first % 12, 1)), end: start };
}
