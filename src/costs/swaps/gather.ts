import { sql } from 'kysely';
import type { PriceBook } from '../../../pricing/prices/price-book.ts';
import { priceBreaks } from '../../../pricing/prices/segments.ts';
import { findSwaps, type Swaps, type SwapUsage } from '../../../pricing/simulations/swaps.ts';
import type { TokenType } from '../../../pricing/usage/tokens.ts';
import { DAY_MS, type TimeWindow } from '../../platform/clock.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { readPriceBook } from '../../prices/book.ts';
import { countedColumn } from '../../usage/name-keys.ts';
import { daysOf } from '../notes.ts';
import { UNTOLD_WRITES } from '../queries.ts';

export interface FoundSwaps extends Swaps {
  /** Models that something ran on in the window, as the ledger counts them. */
  usedModels: ReadonlySet<string>;
}

/**
 * What each feature would have saved on other models, by the days' costs: usage that was paid by the token. Bought capacity
 * costs the same whatever runs elsewhere. Where a price changed within a day, the one at its beginning stands for all of it.
 * @param window whole UTC days
 */
export async function readSwaps(
  snapshot: LedgerSnapshot,
  window: TimeWindow,
  now: Date,
): Promise<FoundSwaps> {
  const { usage, book } = await readSwapUsage(snapshot, window);
  return { ...findSwaps(usage, book, now), usedModels: new Set(usage.map(({ model }) => model)) };
}

/** Usage that was paid by the token, by feature, model and deployment, as a swap is worked out on it. */
export async function readSwapUsage(
  snapshot: LedgerSnapshot,
  window: TimeWindow,
): Promise<{ usage: SwapUsage[]; book: PriceBook }> {
  const book = await readPriceBook(snapshot);
  const starts = daysOfPrices(book, window);
  const result = await sql<{
    segment: number;
    model: string;
    feature: string;
    deployment: string;
    token_type: TokenType;
    tokens: string;
    cost: string | null;
  }>`
    select width_bucket(day, ${starts.map((at) => at.toISOString().slice(0, 10))}::date[]) - 1 as segment,
      ${countedColumn('model')} as model, feature, ${countedColumn('deployment')} as deployment, token_type,
      sum(token_count)::text as tokens,
      case when bool_and(reason is null and ${UNTOLD_WRITES} is null) then coalesce(sum(cost_pico_usd), 0)::text end as cost
    from daily_costs where kind = 'tokens' and ${daysOf(window)}
    group by 1, 2, 3, 4, 5 having sum(token_count) > 0 order by 1, 2, 3, 4, 5`.execute(snapshot);
  const usage = result.rows.map(({ segment, model, feature, deployment, token_type, tokens, cost }) => ({
    feature,
    model,
    deployment,
    tokenType: token_type,
    at: starts[segment] ?? window.start,
    tokenCount: BigInt(tokens),
    costPicoUsd: cost === null ? null : BigInt(cost),
  }));
  return { usage, book };
}

/** The first day of the window, and each from whose beginning some price is another. */
function daysOfPrices(book: PriceBook, window: TimeWindow): Date[] {
  const days = priceBreaks(book, window).map((at) => Math.ceil(at.getTime() / DAY_MS) * DAY_MS);
  const within = days.filter((day) => day < window.end.getTime());
  return [...new Set([window.start.getTime(), ...within])]
    .sort((one, other) => one - other)
    .map((day) => new Date(day));
}
