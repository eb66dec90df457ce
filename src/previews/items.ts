import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import { ownMeter } from '../catalog/bound-item.ts';
import { readStoredPrice } from '../catalog/stored-price.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { LEGACY_METER_PREFIX } from '../stripe/port.ts';

export interface ActiveItem {
  subscriptionItemId: string;
  subscriptionId: string;
  priceId: string;
  productName: string;
  currency: string;
  /** In minor units; null: of a kind that we cannot rate. */
  price: RatePrice | null;
  /** Null: it has none, or somebody else feeds it. */
  stripeMeterId: string | null;
  /** Its price has a meter, whoever feeds it: its lines take billing credits. */
  takesCredits: boolean;
  currentPeriod: TimeWindow;
  /** Until then nothing is charged; null: it is not, or not any more, in a trial that is known. */
  trialEndsAt: Date | null;
  /** When the price was last read from Stripe. */
  syncedAt: Date;
}

/** The customer's active subscription items, by subscription and then in a stable order. */
export async function readActiveItems(database: LedgerDatabase, customerId: string): Promise<ActiveItem[]> {
  const rows = await database
    .selectFrom('subscription_items')
    .selectAll()
    .select(ownMeter('subscription_items').as('own_meter_id'))
    .where('customer_id', '=', customerId)
    .where('active', '=', true)
    .orderBy('subscription_id')
    .orderBy('product_name')
    .orderBy('subscription_item_id')
    .execute();
  return rows.map((row) => ({
    subscriptionItemId: row.subscription_item_id,
    subscriptionId: row.subscription_id,
    priceId: row.price_id,
    productName: row.product_name,
    currency: row.currency,
    price: readStoredPrice(row),
    stripeMeterId: row.own_meter_id,
    takesCredits: row.stripe_meter_id !== null && !row.stripe_meter_id.startsWith(LEGACY_METER_PREFIX),
    currentPeriod: { start: row.current_period_start, end: row.current_period_end },
    trialEndsAt: row.trial_ends_at,
    syncedAt: row.synced_at,
  }));
}

/** A subscription with something to bill: one invoice to come. */
export interface BilledSubscription {
  customerId: string;
  customerName: string;
  subscriptionId: string;
}

/**
 * Whether another invoice may use up a customer's billing credits before a subscription's next one does: a draft, or that of
 * another subscription, for Stripe promises no order between them.
 */
export async function sharesCredits(
  database: LedgerDatabase,
  customerId: string,
  {
    active,
    subscriptionId,
    currency,
  }: { active: readonly ActiveItem[]; subscriptionId: string; currency: string },
): Promise<boolean> {
  const isOther = (item: ActiveItem) =>
    item.subscriptionId !== subscriptionId && item.currency === currency && item.takesCredits;
  if (active.some(isOther)) return true;
  const draft = await database
    .selectFrom('invoices')
    .select('invoice_id')
    .where('customer_id', '=', customerId)
    .where('currency', '=', currency)
    .where('status', '=', 'draft')
    .executeTakeFirst();
  return draft !== undefined;
}
