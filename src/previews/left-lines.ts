import { sql } from 'kysely';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import { ownMeter } from '../catalog/bound-item.ts';
import { readStoredPrice, type StoredPrice } from '../catalog/stored-price.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { BillingInvoiceLine } from '../stripe/port.ts';
import { type MeterUsage, readPreviewUsage } from './usage.ts';

/** Usage at a price that its item has left, as Stripe will bill it: an item that waits for the next invoice, and stands still. */
export interface LeftLines {
  priceId: string;
  stripeMeterId: string;
  productName: string;
  /** Null: of a kind that we cannot rate. */
  price: RatePrice | null;
  period: TimeWindow;
  lines: readonly BillingInvoiceLine[];
  /** Of that meter and time. */
  usage: readonly MeterUsage[];
}

/** What of a preview's lines is such; items of our own (late usage, top-ups) are none, and those of other prices neither. */
export async function readLeftLines(
  database: LedgerDatabase,
  of: { customerId: string; subscriptionId: string },
  lines: readonly BillingInvoiceLine[],
): Promise<LeftLines[]> {
  const candidates = lines.filter(
    ({ invoiceItemId, isOwnItem, priceId }) =>
      (invoiceItemId ?? null) !== null && isOwnItem !== true && priceId !== null,
  );
  if (candidates.length === 0) return [];
  const known = await sql<{ priceId: string; stripeMeterId: string; productName: string } & StoredPrice>`
    select p.price_id as "priceId", p.stripe_meter_id as "stripeMeterId", p.product_name as "productName",
      p.unit_amount_decimal, p.tiers_mode, p.price_tiers
    from item_prices p
    where p.subscription_id = ${of.subscriptionId} and p.price_id = any(${candidates.map(({ priceId }) => priceId)}::text[])
      and ${ownMeter('p')} is not null`.execute(database);
  const prices = new Map(known.rows.map((row) => [row.priceId, row]));
  const groups = Map.groupBy(
    candidates.filter(({ priceId }) => prices.has(priceId ?? '')),
    ({ priceId, periodStart, periodEnd }) => `${priceId} ${+periodStart} ${+periodEnd}`,
  );
  const left: LeftLines[] = [];
  for (const its of groups.values()) {
    const [line] = its;
    const row = prices.get(line?.priceId ?? '');
    if (line === undefined || row === undefined) continue;
    const { priceId, stripeMeterId, productName, ...stored } = row;
    const period = { start: line.periodStart, end: line.periodEnd };
    const { usage } = await readPreviewUsage(database, of.customerId, { period, historyStart: period.start });
    left.push({
      priceId,
      stripeMeterId,
      productName,
      price: readStoredPrice(stored),
      period,
      lines: its,
      usage: usage.filter((entry) => entry.inPeriod && entry.stripeMeterId === stripeMeterId),
    });
  }
  return left;
}
