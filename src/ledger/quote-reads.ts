import type { Plan } from '../../pricing/plan.ts';
import type { PriceBook } from '../../pricing/price-book.ts';
import { hasProvisionedCapacity } from './average-costs.ts';
import type { LedgerDatabase } from './database.ts';
import { readPlan } from './plans.ts';
import { readPriceBook } from './price-book.ts';
import { readUsualSellRates, type SellRateRow } from './sell-rates.ts';
import { createSharedReads } from './shared-read.ts';

/** What every quote reads. Quotes that are asked for together share the reading. */
export interface QuoteReads {
  currentPriceBook(): Promise<PriceBook>;
  usualSellRates(currency: string): Promise<SellRateRow[]>;
  /** @throws TallystickError NOT_FOUND with near names */
  plan(planId: string): Promise<Plan>;
  hasProvisionedCapacity(now: Date): Promise<boolean>;
}

const readsByDatabase = new WeakMap<LedgerDatabase, QuoteReads>();

export function quoteReadsOf(database: LedgerDatabase): QuoteReads {
  const known = readsByDatabase.get(database);
  if (known !== undefined) return known;
  const currentPriceBook = createSharedReads(() => readPriceBook(database));
  const hasCapacity = createSharedReads((_: 'any', now: Date) => hasProvisionedCapacity(database, now));
  const reads: QuoteReads = {
    currentPriceBook: () => currentPriceBook('current'),
    usualSellRates: createSharedReads((currency: string) => readUsualSellRates(database, currency)),
    plan: createSharedReads((planId: string) => readPlan(database, planId)),
    hasProvisionedCapacity: (now) => hasCapacity('any', now),
  };
  readsByDatabase.set(database, reads);
  return reads;
}
