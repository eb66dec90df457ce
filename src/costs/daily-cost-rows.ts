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
}

/** Every daily cost of the window, by day and customer, always in the same order, some at a time. */
export async function* readDailyCostRows(
  snapshot: LedgerSnapshot,
  { window, customerId = null }: { window: TimeWindow; customerId?: string | null },
): AsyncGenerator<DailyCostRow[]> {
  const batches = readInBatches(
    snapshot,
    sql<Omit<DailyCostRow, 'costPicoUsd'> & { costPicoUsd: string | null }>`
      select cost.day::text as day, cost.kind, cost.customer_id as "customerId", customers.name as "customerName",
        ${countedColumn('model', 'cost')} as model, cost.feature, ${countedColumn('deployment', 'cost')} as deployment,
        cost.token_type as "tokenType", cost.token_count as "tokenCount", cost.cost_pico_usd::text as "costPicoUsd",
        cost.reason, cost.price_reference as "priceReference", cost.price_notes as "priceNotes",
        cost.price_book_version as "priceBookVersion"
      from daily_costs as cost left join customers using (customer_id)
      where ${daysOf(window)} and cost.kind <> 'requests' and (${customerId}::text is null or cost.customer_id = ${customerId})
      order by cost.day, cost.customer_id collate "C", cost.kind, cost.model collate "C", cost.feature collate "C",
        cost.deployment collate "C", cost.token_type, cost.price_reference collate "C", cost.reason, cost.token_count,
        cost.cost_pico_usd`,
  );
  for await (const rows of batches) {
    yield rows.map(({ costPicoUsd, ...row }) => ({
      ...row,
      costPicoUsd: costPicoUsd === null ? null : BigInt(costPicoUsd),
    }));
  }
}
