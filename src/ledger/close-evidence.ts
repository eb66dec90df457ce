import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { RatePrice } from '../../pricing/rate-price.ts';
import type { TimeWindow } from '../clock.ts';
import type { LedgerDatabase } from './database.ts';
import { readPriceBookVersion } from './price-book.ts';
import { readStoredPrice, type StoredPrice } from './stored-price.ts';

/** How the usage of a period was found, and by which prices it is known; equal for all invoices of the period. */
export interface CloseEvidence {
  collection: {
    source: string;
    windowCount: string;
    /** By ingestion time. */
    from: string | null;
    to: string | null;
    rowCount: string;
    newRowCount: string;
    /** Of all windows and their query texts, in the order they were collected. */
    windowsSha256: string;
    lastQueryText: string | null;
  };
  priceBookVersion: string;
  planVersions: { planId: string; versionId: string }[];
}

export async function readCloseEvidence(
  database: LedgerDatabase,
  source: string,
  period: TimeWindow,
): Promise<CloseEvidence> {
  const windows = await sql<{
    window_start: Date;
    window_end: Date;
    row_count: bigint;
    new_row_count: bigint;
    query_text: string;
  }>`
    select window_start, window_end, row_count::bigint, new_row_count::bigint, query_text from collection_windows
    where source = ${source} and window_end > ${period.start}
      and (cursor_kind = 'ingestion' or window_start < ${period.end})
    order by collection_window_id`.execute(database);
  const hash = createHash('sha256');
  for (const row of windows.rows) {
    hash.update(`${row.window_start.toISOString()} ${row.window_end.toISOString()} ${row.query_text}\n`);
  }
  const sum = (pick: (row: (typeof windows.rows)[number]) => bigint) =>
    String(windows.rows.reduce((total, row) => total + pick(row), 0n));
  const [first, last] = [windows.rows[0], windows.rows.at(-1)];
  const plans = await sql<{ planId: string; versionId: string }>`
    select distinct on (plan_id) plan_id as "planId", version_id as "versionId" from plan_versions
    where effective_from < ${period.end} order by plan_id, effective_from desc, plan_version_id desc`.execute(
    database,
  );
  const { version } = await readPriceBookVersion(database);
  return {
    collection: {
      source,
      windowCount: String(windows.rows.length),
      from: first?.window_start.toISOString() ?? null,
      to: last?.window_end.toISOString() ?? null,
      rowCount: sum((row) => row.row_count),
      newRowCount: sum((row) => row.new_row_count),
      windowsSha256: hash.digest('hex'),
      lastQueryText: last?.query_text ?? null,
    },
    priceBookVersion: version,
    planVersions: plans.rows,
  };
}

/** A subscription item as a close needs it: its meter and its price. */
export interface ClosingItem {
  subscriptionItemId: string;
  subscriptionId: string;
  stripeMeterId: string;
  eventName: string;
  eventTimeWindow: 'hour' | 'day' | null;
  priceId: string;
  productName: string;
  price: RatePrice | null;
}

/** Metered items of these subscriptions, ended ones too. */
export async function readClosingItems(
  database: LedgerDatabase,
  subscriptionIds: readonly string[],
): Promise<Map<string, ClosingItem>> {
  const rows = await sql<Omit<ClosingItem, 'price'> & StoredPrice>`
    select i.subscription_item_id as "subscriptionItemId", i.subscription_id as "subscriptionId",
      i.stripe_meter_id as "stripeMeterId", m.event_name as "eventName", m.event_time_window as "eventTimeWindow",
      i.price_id as "priceId", i.product_name as "productName", i.unit_amount_decimal, i.tiers_mode, i.price_tiers
    from subscription_items i join stripe_meters m on m.stripe_meter_id = i.stripe_meter_id
    where i.subscription_id = any(${subscriptionIds}::text[])`.execute(database);
  return new Map(
    rows.rows.map(({ unit_amount_decimal, tiers_mode, price_tiers, ...item }) => [
      item.subscriptionItemId,
      { ...item, price: readStoredPrice({ unit_amount_decimal, tiers_mode, price_tiers }) },
    ]),
  );
}
