import { sql } from 'kysely';
import type { Plan } from '../../pricing/plan.ts';
import type { PriceBook } from '../../pricing/price-book.ts';
import { hasProvisionedCapacity } from './average-costs.ts';
import type { LedgerDatabase } from './database.ts';
import { readPlan } from './plans.ts';
import { readPriceBookState } from './price-book.ts';
import { type RawSellRate, type SellRateRow, toSellRate, usualSellRates } from './sell-rates.ts';
import { createSharedReads } from './shared-read.ts';

/** By what every quote counts. */
export interface QuoteBasis {
  priceBook: PriceBook;
  /** Whether throughput was bought by the hour lately. */
  hasProvisioned: boolean;
  /** The usual rates in the currency that was asked for; the same list for as long as nothing changes. */
  rates: readonly SellRateRow[];
}

/** What every quote reads. Quotes that are asked for together share the reading. */
export interface QuoteReads {
  /** @param currency of the usual rates; null where none are needed */
  basis(currency: string | null, now: Date): Promise<QuoteBasis>;
  /** @throws TallystickError NOT_FOUND with near names */
  plan(planId: string): Promise<Plan>;
}

const readsByDatabase = new WeakMap<LedgerDatabase, QuoteReads>();

export function quoteReadsOf(database: LedgerDatabase): QuoteReads {
  const known = readsByDatabase.get(database);
  if (known !== undefined) return known;
  const parseRates = createRateParser();
  const reads: QuoteReads = {
    basis: createSharedReads((currency: string | null, now: Date) =>
      readBasis(database, { currency, now, parseRates }),
    ),
    plan: createSharedReads((planId: string) => readPlan(database, planId)),
  };
  readsByDatabase.set(database, reads);
  return reads;
}

interface RawBasis {
  change_id: bigint | null;
  version: string;
  state_id: string;
  has_provisioned: boolean;
  rates: string | null;
}

/** One statement, so that all of it was true at one instant. */
async function readBasis(
  database: LedgerDatabase,
  {
    currency,
    now,
    parseRates,
  }: { currency: string | null; now: Date; parseRates: ReturnType<typeof createRateParser> },
): Promise<QuoteBasis> {
  const rates =
    currency === null
      ? sql`null::text`
      : sql`(select json_agg(rate order by model, token_type, feature)::text from (${usualSellRates(currency)}) as rate)`;
  const { rows } = await sql<RawBasis>`
    select book.change_id, book.version, book.state_id, ${hasProvisionedCapacity(now)} as has_provisioned,
           ${rates} as rates
      from (select) as always
      left join lateral (
        select change_id, version, state_id from price_book_changes order by change_id desc limit 1
      ) as book on true`.execute(database);
  const row = rows[0];
  if (row === undefined) throw new Error('a statement that always gives one row gave none');
  const version =
    row.change_id === null
      ? undefined
      : { changeId: row.change_id, version: row.version, stateId: row.state_id };
  return {
    priceBook: await readPriceBookState(database, version),
    hasProvisioned: row.has_provisioned,
    rates: parseRates(currency ?? '', row.rates),
  };
}

/** Rates are read each time; while their text is the same, so is the list that is made of it. */
function createRateParser() {
  const lastByCurrency = new Map<string, { text: string; rates: readonly SellRateRow[] }>();
  return (currency: string, text: string | null): readonly SellRateRow[] => {
    if (text === null) return [];
    const last = lastByCurrency.get(currency);
    if (last?.text === text) return last.rates;
    const rates = (JSON.parse(text) as RawSellRate[]).map(toSellRate);
    lastByCurrency.set(currency, { text, rates });
    return rates;
  };
}
