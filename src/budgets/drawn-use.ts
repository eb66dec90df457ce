import { sumUsed } from '../../pricing/budgets/amounts.ts';
import { conversionFor } from '../../pricing/exchange/rates.ts';
import { readConversions } from '../costs/exchange/rates.ts';
import { addMs, DAY_MS } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { Budget } from './budgets.ts';
import { readDailyParts } from './histories.ts';
import type { KeptStanding } from './standings.ts';

/** A day of a holder's window. */
export interface DrawnDay {
  /** Its first instant, UTC. */
  day: Date;
  /** Used from the beginning of the window to the end of the day; null: it is still to come, or nobody knows. */
  usedSoFar: bigint | null;
}

/** More days than a drawing shows. */
const MOST_DAYS = 100;

/** Use through the window of a holder, day by day; none where the window is a day, or too long to be drawn. */
export async function readDrawnUse(
  database: LedgerDatabase,
  budget: Budget,
  standing: KeptStanding,
  now: Date,
): Promise<DrawnDay[]> {
  const { windowStart: from, windowEnd } = standing;
  const first = Math.floor(from.getTime() / DAY_MS) * DAY_MS;
  const count = Math.ceil((windowEnd.getTime() - first) / DAY_MS);
  if (count < 2 || count > MOST_DAYS) return [];
  const parts = await readDailyParts(database, budget, standing, { from, ownFrom: from, until: windowEnd });
  const currencies = [budget.currency, ...[...parts.values()].flat().map(({ currency }) => currency)];
  const conversions = await readConversions(database, {
    window: { end: addMs(now, DAY_MS) },
    currencies: currencies.filter((currency) => currency !== null),
    now,
  });
  let total: bigint | null = 0n;
  return Array.from({ length: count }, (_, place) => {
    const day = new Date(first + place * DAY_MS);
    const used = sumUsed(parts.get(day.getTime()) ?? [], budget, (code) => conversionFor(code, conversions));
    total = total === null || typeof used !== 'bigint' ? null : total + used;
    return { day, usedSoFar: day > now ? null : total };
  });
}
