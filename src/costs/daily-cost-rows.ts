import { sql } from 'kysely';
import type { TokenType } from '../../pricing/usage/shape.ts';
import type { TimeWindow } from '../platform/clock.ts';
import { readInBatches } from '../platform/database/batches.ts';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';
import { countedColumn } from '../usage/name-keys.ts';
import { daysOf } from './notes.ts';

/** What one kind of usage cost on a day, at one price: the finest that is kept. */
export interface DailyCostRow {
  /** UTC, `YYYY-MM-DD`. */
  day: string;
  /** `tokens`: priced by the token; `provisioned`: a share of capacity; `idle`: capacity that nobody is charged for. */
  kind: 'tokens' | 'provisioned' | 'idle';
  /** Null: nobody's (yet), and idle capacity. */
  customerId: string | null;
  customerName: string | null;
  model: string;
  feature: string;
  deployment: string;
  /** Null: idle capacity. */
  tokenType: TokenType | null;
  tokenCount: bigint;
  /** Null: unknown, for this reason. */
  costPicoUsd: bigint | null;
  reason: string | null;
  /** The price or the capacity that the cost rests on. */
  priceReference: string | null;
  priceNotes: string[];
  priceBookVersion: string;
  /**
   * What it brings by today's rates: its tokens at the average of their calendar month to date, so that the days of a month
   * sum up to its invoice lines. In pico of the currency's minor unit; null: no rate names it, or it is nobody's.
   */
  revenue: { currency: string; picoMinor: bigint } | null;
}

type RawRow = Omit<DailyCostRow, 'costPicoUsd' | 'revenue'> & {
  costPicoUsd: string | null;
  revenueCurrency: string;
  revenuePicoMinor: string | null;
};

/** Every daily cost of the window, by day and customer, always in the same order, some at a time. */
export async function* readDailyCostRows(
  snapshot: LedgerSnapshot,
  { window, customerId = null }: { window: TimeWindow; customerId?: string | null },
): AsyncGenerator<DailyCostRow[]> {
  const batches = readInBatches(
    snapshot,
    sql<RawRow>`
      select cost.day::text as day, cost.kind, cost.customer_id as "customerId", customers.name as "customerName",
        ${countedColumn('model', 'cost')} as model, cost.feature, ${countedColumn('deployment', 'cost')} as deployment,
        cost.token_type as "tokenType", cost.token_count as "tokenCount", cost.cost_pico_usd::text as "costPicoUsd",
        cost.reason, cost.price_reference as "priceReference", cost.price_notes as "priceNotes",
        cost.price_book_version as "priceBookVersion", coalesce(revenue.currency, 'usd') as "revenueCurrency",
        (cost.token_count * revenue.unit_pico_minor
          + case when cost.is_first and cost.day >= revenue.last_day then revenue.remainder_pico_minor else 0 end)::text as "revenuePicoMinor"
      from daily_costs as cost
      left join customers on customers.customer_id = cost.customer_id
      left join monthly_revenues as revenue on revenue.customer_id = cost.customer_id
        and revenue.month = date_trunc('month', cost.day::timestamp)::date and revenue.model = cost.model
        and revenue.feature = cost.feature and revenue.token_type = cost.token_type
      where ${daysOf(window)} and cost.kind <> 'requests' and (${customerId}::text is null or cost.customer_id = ${customerId})
      order by cost.day, cost.customer_id collate "C", cost.kind, cost.model collate "C", cost.feature collate "C",
        cost.deployment collate "C", cost.token_type, cost.price_reference collate "C", cost.reason, cost.token_count,
        cost.cost_pico_usd`,
  );
  for await (const rows of batches) {
    yield rows.map(({ costPicoUsd, revenueCurrency, revenuePicoMinor, ...row }) => ({
      ...row,
      costPicoUsd: costPicoUsd === null ? null : BigInt(costPicoUsd),
      revenue:
        revenuePicoMinor === null ? null : { currency: revenueCurrency, picoMinor: BigInt(revenuePicoMinor) },
    }));
  }
}
